"""The files of the lab's own networks, as text: found, hashed and packed. Needs no torch."""

import base64
import hashlib
import zlib
from pathlib import Path
from typing import NamedTuple

from models.architecture_table import ARCHITECTURES
from models.places import architectures

MOST_BYTES = 64 << 10
"""A source travels to other servers in a command line."""


class OwnFile(NamedTuple):
    """The file of a network; `fault` says why it cannot be used."""

    path: Path
    source: bytes
    fault: str = ""

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def hash(self) -> str:
        return hash_of(self.source)


def hash_of(source: bytes) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(source).hexdigest()


def own_files(home: Path) -> list[OwnFile]:
    """Every file of `architectures` in the home, in the order of the alphabet; `_helper.py` is none."""
    try:
        paths = sorted(architectures(home).glob("*.py"))
    except OSError:
        return []
    return [_read(path) for path in paths if path.name[0] not in "._"]


def _read(path: Path) -> OwnFile:
    if path.stem in ARCHITECTURES:
        return OwnFile(
            path,
            b"",
            f"{path.name}: {path.stem} is a network of Sheetrack's; rename the file and its function",
        )
    if not path.stem.isidentifier() or len(path.stem) > 50:
        return OwnFile(path, b"", f"{path.name}: name the file like its function, with letters, digits and _")
    try:
        source = path.read_bytes()
    except OSError as error:
        return OwnFile(path, b"", f"{path.name}: it cannot be read ({error.strerror})")
    if len(source) > MOST_BYTES:
        return OwnFile(path, b"", f"{path.name}: it is larger than {MOST_BYTES >> 10} KiB")
    return OwnFile(path, source)


def packed(source: bytes) -> str:
    """The source in one word of a command line."""
    return base64.b64encode(zlib.compress(source, 9)).decode()


def unpacked(text: str) -> bytes:
    """What `packed` was given."""
    return zlib.decompress(base64.b64decode(text)) if text else b""
