"""What agents on other servers tell, brought here: believed only as far as it can do no harm."""

import errno
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from backend.jobs.engines import LostError
from backend.jobs.engines.http_client import Remote, open_client
from backend.jobs.engines.run_mirror import Mirror
from backend.jobs.job import Job
from backend.jobs.run_files import RunFile, RunFiles
from backend.times import now
from models.recipe import Recipe
from models.run_folder import RunFolder
from models.run_reader import BrokenRunError, read_result
from tests.servers.agents import answering


@pytest.fixture
def listed(tmp_path: Path) -> Iterator[Callable[..., tuple[Mirror, Job, RunFiles]]]:
    """A mirror of the run of a job, of which an agent that means no good tells what it is told to."""
    runs = tmp_path / "runs"
    job = Job(id="r000000", server="far", recipe=Recipe(data="x"), requested_by="kim", submitted_at=now())
    told: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}

    def answer(request: BaseHTTPRequestHandler) -> None:
        told.get(request.path, evil)(request)

    def evil(request: BaseHTTPRequestHandler) -> None:
        send(request, b"evil")

    def mirror(
        *names: str, size_bytes: int = 4, file: Callable[[BaseHTTPRequestHandler], None] | None = None
    ) -> tuple[Mirror, Job, RunFiles]:
        files = tuple(
            RunFile(name=name, size_bytes=size_bytes, modified_ns=place) for place, name in enumerate(names)
        )
        there = RunFiles(is_training=False, files=files)
        told.update({f"/runs/{job.id}/{name}": file for name in names if file})
        return Mirror(Remote(client, "The agent of far", address, lambda: "token"), runs), job, there

    (runs / job.id).mkdir(parents=True)
    with open_client() as client, answering(answer) as address:
        yield mirror


def send(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


def left_in(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_an_agent_can_write_nothing_but_the_files_of_a_run(
    listed: Callable[..., Any], tmp_path: Path
) -> None:
    mirror, job, there = listed(
        "../evil", "/tmp/evil", "figures/../../evil", "figures/a.html", "figures/.png", ".bashrc", "lock",
        "recipe.json", "checkpoint.pt", "figures/a/b.png", "", ".", "figures", "figures/good.png", "analysis.npz",
        "brain/good.json", "brain/../../evil", "brain/a.npz",
    )  # fmt: skip
    assert mirror.bring(job, there, is_over=True)
    brought = ("figures/good.png", "brain/good.json", "analysis.npz", "lock", "checkpoint.elsewhere")
    assert left_in(tmp_path) == {f"runs/r000000/{name}" for name in brought}


def test_an_agent_cannot_fill_the_disk(listed: Callable[..., Any], tmp_path: Path) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with suppress(OSError):
            while True:
                request.wfile.write(bytes(1 << 16))

    mirror, job, there = listed("history.jsonl", file=endless)
    with pytest.raises(LostError, match="cannot be used: it is too long"):
        mirror.bring(job, there, is_over=False)
    assert left_in(tmp_path) == set()
    mirror, job, there = listed("analysis.npz", size_bytes=1 << 40)
    assert mirror.bring(job, there, is_over=True)
    assert left_in(tmp_path) == set()
    mirror, job, there = listed(*(f"figures/f{number}.png" for number in range(1000)))
    while not mirror.bring(job, there, is_over=True):
        pass
    assert len(left_in(tmp_path)) < 100


def test_a_file_of_another_length_is_not_the_file_that_was_listed(
    listed: Callable[..., Any], tmp_path: Path
) -> None:
    mirror, job, there = listed("result.json", file=lambda request: send(request, b"<html>"))
    with pytest.raises(LostError, match=r"gives result\.json of r000000 with another length"):
        mirror.bring(job, there, is_over=True)
    assert left_in(tmp_path) == set()


def test_a_broken_result_is_copied_and_found_broken_where_it_is_read(
    listed: Callable[..., Any], tmp_path: Path
) -> None:
    content = b"[" * 100_000
    mirror, job, there = listed(
        "result.json", size_bytes=len(content), file=lambda request: send(request, content)
    )
    assert mirror.bring(job, there, is_over=True)
    with pytest.raises(BrokenRunError, match=r"result\.json of run r000000 cannot be read"):
        read_result(RunFolder(tmp_path / "runs" / job.id))


def test_one_that_says_nothing_is_left_alone_for_a_while() -> None:
    asked = []

    def count(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        request.send_error(500)

    with open_client() as client, answering(count) as address:
        remote = Remote(client, "Ray", address, lambda: "token")
        for _ in range(5):
            with pytest.raises(LostError, match="Ray answers HTTP 500"):
                remote.ask("/", 100)
    assert asked == ["/"]


def test_a_full_disk_here_is_said_and_the_files_are_fetched_again(
    listed: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror, job, there = listed("history.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(LostError, match=r"The disk of .*runs is full"):
            mirror.bring(job, there, is_over=False)
    assert left_in(tmp_path / "runs" / job.id) == set()
    assert mirror.bring(job, there, is_over=False)
    assert left_in(tmp_path / "runs" / job.id) == {"history.jsonl"}


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
