"""`python -m tests.service.on_full_disk FOLDER`: what Sheetrack does on a disk of its own while that is full.

FOLDER is a small file system.
"""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx

from backend.database import write_fault
from backend.jobs.job import JobState
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models.run_folder import RunFolder
from tests.cli.command_line import run_here
from tests.patience import wait_until
from tests.service.backends import backend, wait_for_state

_STUBBORN = "trap '' TERM; while true; do sleep 0.1; done"


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leaves no byte while the block lasts."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass
    try:
        yield
    finally:
        ballast.unlink()


def the_store_is_read_and_not_written(disk: Path, home: Home) -> None:
    with closing(Sheetrack(home)) as parts:
        parts.jobs.unfinished_jobs()
    assert not home.store_file.with_name("store.db-shm").exists()
    with closing(Sheetrack(home)) as parts:
        with full(disk):
            for _ in range(2):
                assert parts.jobs.unfinished_jobs() == []
                assert "is full" in write_fault(parts.database, home.store_file)
        assert write_fault(parts.database, home.store_file) == ""
        assert parts.jobs.unfinished_jobs() == []


def launch(api: httpx.Client, command: str) -> httpx.Response:
    server = api.get("/api/servers").json()["servers"][0]["name"]
    work = {"command": command, "shell": True, "folder": "/"}
    return api.post("/api/jobs", json={"server": server, "command": work, "resources": {"gpus": 0}})


def is_told(api: httpx.Client) -> bool:
    return any("is full" in error for error in api.get("/api/servers").json()["sheet_errors"])


def a_job_is_ended_and_nothing_left(disk: Path, home: Home) -> None:
    with backend(home) as (api, _):
        job = launch(api, _STUBBORN).json()["id"]
        wait_for_state(api, job, JobState.RUNNING)
        folder = RunFolder(home.runs / job)
        assert not is_told(api)
        with full(disk):
            refused = launch(api, "true")
            assert (refused.status_code, refused.json()["error"]["message"]) == (503, "The disk is full.")
            typed = run_here("launch", "--command", "true", "--folder", "/", "--server", "any",
                             SHEETRACK_HOME=str(home.path))  # fmt: skip
            assert (typed.returncode, "is full" in typed.stderr) == (1, True), typed.stderr
            assert [path.name for path in home.runs.iterdir()] == [job]
            answer = api.post(f"/api/jobs/{job}/cancel")
            assert (answer.status_code, "was asked to end" in answer.text) == (503, True)
            # Killed, as it does not end when it is asked.
            wait_until(lambda: not folder.is_locked())
            wait_until(lambda: is_told(api))
            assert api.get(f"/api/jobs/{job}").json()["state"] == JobState.RUNNING
        wait_for_state(api, job, JobState.CANCELLED)
        wait_until(lambda: not is_told(api))


def a_backend_starts(disk: Path, home: Home) -> None:
    with full(disk), backend(home) as (api, _):
        wait_until(lambda: is_told(api))
        assert len(api.get("/api/jobs").json()["jobs"]) == 1


if __name__ == "__main__":
    small = Path(sys.argv[1])
    place = Home(small / "home")
    the_store_is_read_and_not_written(small, place)
    a_job_is_ended_and_nothing_left(small, place)
    a_backend_starts(small, place)
