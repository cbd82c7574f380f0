"""Fetches Speech Commands v0.02 (Pete Warden, CC BY 4.0) and unpacks it."""

import fcntl
import hashlib
import os
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from models.data.errors import DataError
from models.data.speech_commands import INNER

URL = "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
SHA256 = "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"
"""As torchaudio and TensorFlow Datasets publish it; plain HTTP is safe because of it."""

FRUITLESS_ATTEMPTS = 5
"""How often in a row a download may break off without a new byte before it is given up."""

Report = Callable[[str, int, int | None], None]
"""Told what is being done, how many bytes are done, and of how many (None: not known)."""


def prepare(
    folder: Path,
    *,
    report: Report,
    url: str = URL,
    sha256: str = SHA256,
    pause_seconds: float = 1,
) -> bool:
    """Brings the data set into `folder`, unless it is there already.

    A download that broke off goes on where it stopped, in this call and in the next one.

    Args:
        folder: created if missing; the clips come to lie in `SpeechCommands/speech_commands_v0.02` below it.
        report: told about download, check and unpacking.
        url: a gzipped tar archive.
        sha256: of the archive.
        pause_seconds: before the second attempt; doubled before each further one.

    Returns:
        Whether something was fetched.

    Raises:
        DataError: the archive cannot be had, is not the right one, or cannot be unpacked.
        OSError: the disk is full.
    """
    clips = folder / INNER
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if clips.is_dir():
            return False
        archive = folder / (url.rpartition("/")[2] + ".part")
        _download(url, archive, report, pause_seconds)
        _check(archive, sha256, report)
        _unpack(archive, clips, report)
        archive.unlink()
        _validator(archive).unlink(missing_ok=True)
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = os.open(folder / ".download.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise DataError(f"another process is filling {folder}; wait for it") from None
    finally:
        os.close(lock)


def _download(url: str, archive: Path, report: Report, pause_seconds: float) -> None:
    fruitless = 0
    with httpx.Client(timeout=30, follow_redirects=True) as client:
        while True:
            before = _size(archive)
            try:
                if _attempt(client, url, archive, report):
                    return
                reason = "the server ended it early"
            except httpx.HTTPError as error:
                reason = str(error) or type(error).__name__
            fruitless = 0 if _size(archive) > before else fruitless + 1
            if fruitless == FRUITLESS_ATTEMPTS:
                raise DataError(
                    f"{url} cannot be downloaded ({reason}); run it again later, it goes on where it stopped"
                )
            time.sleep(pause_seconds * 2**fruitless)


def _attempt(client: httpx.Client, url: str, archive: Path, report: Report) -> bool:
    """Fetches what is missing and says whether that is all of it.

    Raises:
        httpx.HTTPError: the connection broke, or the server is in error.
        DataError: the server has no such file.
    """
    done = _size(archive)
    headers = {"Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
        if (known := _validator(archive)).is_file():
            # A file that was replaced meanwhile is then sent whole.
            headers["If-Range"] = known.read_text()
    with client.stream("GET", url, headers=headers) as answer:
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            if answer.headers.get("Content-Range") == f"bytes */{done}":
                return True
            archive.unlink()
            return False
        if answer.is_client_error:
            raise DataError(f"{url} answers {answer.status_code} {answer.reason_phrase}; check the address")
        answer.raise_for_status()
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            done = 0
            _remember(archive, answer)
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length else None
        with archive.open("r+b" if done else "wb") as part:
            part.seek(done)
            for chunk in answer.iter_raw():
                part.write(chunk)
                done += len(chunk)
                report("downloading", done, total)
    return total is None or done == total


def _remember(archive: Path, answer: httpx.Response) -> None:
    """Notes what tells this version of the file from another; a weak ETag may not be used for ranges."""
    validator = answer.headers.get("ETag", "")
    if not validator or validator.startswith("W/"):
        validator = answer.headers.get("Last-Modified", "")
    if validator:
        _validator(archive).write_text(validator)
    else:
        _validator(archive).unlink(missing_ok=True)


def _validator(archive: Path) -> Path:
    return archive.with_name(archive.name + ".version")


def _size(archive: Path) -> int:
    return archive.stat().st_size if archive.exists() else 0


def _check(archive: Path, sha256: str, report: Report) -> None:
    digest = hashlib.sha256()
    done, total = 0, _size(archive)
    with archive.open("rb") as content:
        while chunk := content.read(1 << 22):
            digest.update(chunk)
            done += len(chunk)
            report("checking", done, total)
    if digest.hexdigest() != sha256:
        archive.unlink()
        _validator(archive).unlink(missing_ok=True)
        raise DataError(
            f"what was downloaded is not the expected archive (SHA-256 {digest.hexdigest()[:12]}... instead of "
            f"{sha256[:12]}...); it was deleted, run it again"
        )


def _extract(members: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Unpacks one file below `folder`. The filters of `tarfile` are missing in the first releases of 3.11.

    Raises:
        TarError: it is neither a file nor a folder, or its path leads out of `folder`.
    """
    if member.isdir():
        return
    file = folder / member.name.lstrip("/")
    content = members.extractfile(member) if member.isreg() else None
    if content is None or not file.resolve().is_relative_to(folder.resolve()):
        raise tarfile.TarError(f"{member.name} is no file below its folder")
    file.parent.mkdir(parents=True, exist_ok=True)
    with content, file.open("wb") as copy:
        shutil.copyfileobj(content, copy)


def _unpack(archive: Path, clips: Path, report: Report) -> None:
    draft = clips.with_name(f".{clips.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    total = _size(archive)
    try:
        with archive.open("rb") as content, tarfile.open(fileobj=content, mode="r:gz") as members:
            for member in members:
                _extract(members, member, draft)
                report("unpacking", content.tell(), total)
        draft.replace(clips)
    except (tarfile.TarError, EOFError) as error:
        raise DataError(f"the archive cannot be unpacked safely ({error}); nothing of it was kept") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
