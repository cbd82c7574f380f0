"""Fetching Speech Commands: a real server on loopback that misbehaves, and real archives."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from models.data import DataError
from models.data.download import FRUITLESS_ATTEMPTS, prepare
from models.data.speech_commands import read_folder
from tests.models.tone_words import write_tones


@dataclass
class Archive:
    """What the server offers, and how."""

    content: bytes
    ranges: bool = True
    etag: str | None = '"one"'
    breaks_after: list[int] = field(default_factory=list)
    """After how many bytes each further answer breaks off."""
    statuses: list[int] = field(default_factory=list)
    """What the next answers are instead of the file."""
    length: bool = True
    requests: list[dict[str, str]] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    archive: Archive

    def do_GET(self) -> None:
        offered = self.archive
        offered.requests.append({name.lower(): value for name, value in self.headers.items()})
        if offered.statuses:
            self.send_error(offered.statuses.pop(0))
            return
        start = 0
        asked = self.headers.get("Range")
        if asked and offered.ranges and self.headers.get("If-Range", offered.etag) == offered.etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(offered.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(offered.content)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header(
                "Content-Range", f"bytes {start}-{len(offered.content) - 1}/{len(offered.content)}"
            )
        else:
            self.send_response(200)
        if offered.etag:
            self.send_header("ETag", offered.etag)
        body = offered.content[start:]
        if offered.length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: offered.breaks_after.pop(0)] if offered.breaks_after else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def tar_gz(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = write_tones(tmp_path_factory.mktemp("archive") / "tones")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, arcname=".")
    return buffer.getvalue()


@pytest.fixture
def archive(tar_gz: bytes) -> Archive:
    return Archive(tar_gz)


@pytest.fixture
def url(archive: Archive) -> Iterator[str]:
    handler = type("ArchiveHandler", (Handler,), {"archive": archive})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/speech_commands_v0.02.tar.gz"
        server.shutdown()
        thread.join()


def fetch(folder: Path, url: str, archive: Archive) -> bool:
    return prepare(folder, report=lambda *_: None, url=url, sha256=archive.sha256, pause_seconds=0)


def test_it_is_fetched_once_and_leaves_nothing_but_the_clips(
    tmp_path: Path, url: str, archive: Archive
) -> None:
    assert fetch(tmp_path / "sc", url, archive)
    assert not fetch(tmp_path / "sc", url, archive)
    assert len(archive.requests) == 1
    assert len(read_folder(tmp_path / "sc").files) == 60
    assert sorted(file.name for file in (tmp_path / "sc").iterdir()) == [".download.lock", "SpeechCommands"]


def test_a_broken_connection_goes_on_where_it_stopped(tmp_path: Path, url: str, archive: Archive) -> None:
    archive.breaks_after = [50_000, 0, 20_000]
    assert fetch(tmp_path / "sc", url, archive)
    assert [request.get("range") for request in archive.requests] == [
        None, "bytes=50000-", "bytes=50000-", "bytes=70000-",
    ]  # fmt: skip
    assert {request.get("if-range") for request in archive.requests[1:]} == {'"one"'}
    assert len(read_folder(tmp_path / "sc").files) == 60


def test_a_download_goes_on_in_another_call(tmp_path: Path, url: str, archive: Archive) -> None:
    archive.breaks_after = [50_000, *[0] * FRUITLESS_ATTEMPTS]
    with pytest.raises(DataError, match=r"cannot be downloaded .* goes on where it stopped"):
        fetch(tmp_path / "sc", url, archive)
    assert len(archive.requests) == 1 + FRUITLESS_ATTEMPTS
    assert fetch(tmp_path / "sc", url, archive)
    assert archive.requests[-1]["range"] == "bytes=50000-"


def test_a_server_without_ranges_sends_it_all_again(tmp_path: Path, url: str, archive: Archive) -> None:
    archive.ranges = False
    archive.breaks_after = [50_000]
    assert fetch(tmp_path / "sc", url, archive)
    assert len(read_folder(tmp_path / "sc").files) == 60


def test_a_file_that_was_replaced_meanwhile_is_sent_whole(tmp_path: Path, url: str, archive: Archive) -> None:
    archive.breaks_after = [50_000, *[0] * FRUITLESS_ATTEMPTS]
    right, archive.content, archive.etag = archive.content, b"x" * 70_000, '"old"'
    with pytest.raises(DataError):
        fetch(tmp_path / "sc", url, archive)
    archive.content, archive.etag = right, '"new"'
    assert fetch(tmp_path / "sc", url, archive)
    assert archive.requests[-1]["if-range"] == '"old"'


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_validator_the_checksum_still_guards(
    tmp_path: Path, url: str, archive: Archive, etag: str | None
) -> None:
    archive.etag = etag
    archive.breaks_after = [50_000]
    assert fetch(tmp_path / "sc", url, archive)
    assert "if-range" not in archive.requests[-1]


def test_a_whole_download_that_was_not_unpacked_is_not_fetched_again(
    tmp_path: Path, url: str, archive: Archive
) -> None:
    (tmp_path / "sc").mkdir()
    (tmp_path / "sc" / "speech_commands_v0.02.tar.gz.part").write_bytes(archive.content)
    assert fetch(tmp_path / "sc", url, archive)
    assert len(archive.requests) == 1


def test_a_part_longer_than_the_file_starts_anew(tmp_path: Path, url: str, archive: Archive) -> None:
    (tmp_path / "sc").mkdir()
    (tmp_path / "sc" / "speech_commands_v0.02.tar.gz.part").write_bytes(archive.content + b"too much")
    assert fetch(tmp_path / "sc", url, archive)


def test_the_wrong_file_is_refused_and_deleted(tmp_path: Path, url: str, archive: Archive) -> None:
    expected = archive.sha256
    archive.content = b"<html>please log in</html>"
    with pytest.raises(DataError, match="not the expected archive"):
        prepare(tmp_path / "sc", report=lambda *_: None, url=url, sha256=expected, pause_seconds=0)
    assert [file.name for file in (tmp_path / "sc").iterdir()] == [".download.lock"]


def test_an_end_that_nobody_announced_is_caught_by_the_checksum(
    tmp_path: Path, url: str, archive: Archive
) -> None:
    archive.length = False
    archive.breaks_after = [50_000]
    with pytest.raises(DataError, match="not the expected archive"):
        fetch(tmp_path / "sc", url, archive)
    assert fetch(tmp_path / "sc", url, archive)


def test_server_errors_are_tried_again_and_a_missing_file_is_not(
    tmp_path: Path, url: str, archive: Archive
) -> None:
    archive.statuses = [503, 500]
    assert fetch(tmp_path / "sc", url, archive)
    archive.statuses = [404]
    with pytest.raises(DataError, match="answers 404 Not Found; check the address"):
        fetch(tmp_path / "other", url, archive)
    assert len(archive.requests) == 4


def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path, archive: Archive) -> None:
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:1/a\.tar\.gz cannot be downloaded"):
        fetch(tmp_path / "sc", "http://127.0.0.1:1/a.tar.gz", archive)


@pytest.mark.parametrize("name", ["../outside.wav", "/tmp/absolute.wav", "link"])
def test_no_path_escapes_from_the_archive(tmp_path: Path, url: str, archive: Archive, name: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        if name == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "../../../.."
        tar.addfile(member)
    archive.content = buffer.getvalue()
    if name.startswith("/"):
        # The filter takes the leading slash away, so it lands inside.
        fetch(tmp_path / "sc", url, archive)
        assert (tmp_path / "sc/SpeechCommands/speech_commands_v0.02/tmp/absolute.wav").exists()
        return
    with pytest.raises(DataError, match="cannot be unpacked safely"):
        fetch(tmp_path / "sc", url, archive)
    assert not (tmp_path / "outside.wav").exists()
    assert not (tmp_path / "sc" / "SpeechCommands" / "speech_commands_v0.02").exists()


def test_an_archive_that_is_none_is_one_sentence(tmp_path: Path, url: str, archive: Archive) -> None:
    archive.content = b"not a tar"
    with pytest.raises(DataError, match="cannot be unpacked"):
        fetch(tmp_path / "sc", url, archive)
