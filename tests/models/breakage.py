"""Ways in which a file of a run can be broken."""

import os
from collections.abc import Callable, Collection
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

DEEP = b"[" * 100_000


def _write(content: bytes) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.write_bytes(content)

    return write


def _cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _huge(file: Path) -> None:
    with file.open("ab") as opened:
        opened.truncate(1 << 40)


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _circle(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


def _locked(file: Path) -> None:
    file.chmod(0)


BREAKAGES = {
    "empty": _write(b""),
    "binary": _write(bytes(range(256)) * 10),
    "not UTF-8": _write(b"clip\xff\n"),
    "deep": _write(DEEP),
    "deep object": _write(b'{"a":' * 100_000),
    "cut off": _cut_off,
    "folder": _folder,
    "huge": _huge,
    "pipe": _pipe,
    "circle of links": _circle,
    "no permission": _locked,
}
"""By name: what is done to a file that is whole."""


def params(but: Collection[str] = ()) -> list[ParameterSet]:
    root = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    return [
        pytest.param(breakage, id=name, marks=[root] if breakage is _locked else [])
        for name, breakage in BREAKAGES.items()
        if name not in but
    ]
