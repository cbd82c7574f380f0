"""Twenty jobs of three people on this machine, whose eight stub GPUs have three foreign processes."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from backend.jobs.job import JobState, Resources
from backend.servers import use
from backend.servers.server import this_machine
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models.command import Command
from tests.jobs.ending import end_all
from tests.patience import wait_until
from tests.probe.fake_gpus import FakeGpus

TAKEN = (0, 3, 6)
PEOPLE = ["kim"] * 10 + ["lee"] * 6 + ["park"] * 4

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the stub driver is for Linux")


@pytest.fixture
def lab(home: Home, fake_gpus: FakeGpus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sheetrack]:
    for name in ("LD_LIBRARY_PATH", "FAKE_NVML"):
        monkeypatch.setenv(name, fake_gpus.environment[name])
    monkeypatch.setattr(use, "SETTLED_SECONDS", 0)
    with ExitStack() as stack:
        lines = ["gpus=8", "memory_total=81920", "memory_used=500", "utilization=0"]
        for index in TAKEN:
            foreign = stack.enter_context(subprocess.Popen(["sleep", "600"]))
            stack.callback(foreign.kill)
            lines += [f"pid.{index}={foreign.pid}", f"pid_memory.{index}=30000"]
        fake_gpus.become(*lines)
        parts = Sheetrack(home)
        wait_until(lambda: _reads_all(parts))
        yield parts
        end_all(parts)
        parts.close()


def _reads_all(parts: Sheetrack) -> bool:
    """Whether all GPUs are read, and who uses them is known."""
    [server] = parts.status.refresh()
    gpus = (server.snapshot and server.snapshot.gpus) or ()
    return len(gpus) == 8 and all(p.user for index in TAKEN for p in gpus[index].processes or ())


def _uuids_seen(job: str) -> set[str]:
    """What the processes of a job see as their GPUs."""
    seen = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            variables = process.environ()
            if variables.get("SHEETRACK_JOB") == job:
                seen.add(variables["CUDA_VISIBLE_DEVICES"])
    return seen


def test_no_gpu_has_two_jobs_or_one_beside_a_foreign_process(lab: Sheetrack, tmp_path: Path) -> None:
    for number, person in enumerate(PEOPLE):
        work = Command(command=f"sleep {600 + number}", folder=str(tmp_path))
        resources = Resources(gpus=0 if number == len(PEOPLE) - 1 else None)
        lab.queue.launch(this_machine(), work, person, resources=resources)
    for _ in range(3):
        lab.queue.advance()
    jobs = lab.jobs.unfinished_jobs()
    running = [job for job in jobs if job.state is JobState.RUNNING]
    assert [job.requested_by for job in running] == ["kim", "kim", "lee", "lee", "park", "park"]
    gpus = [gpu for job in running for gpu in job.assigned or ()]
    assert sorted(gpu.index for gpu in gpus) == [1, 2, 4, 5, 7]
    for job in running:
        assert _uuids_seen(job.id) == {",".join(gpu.uuid for gpu in job.assigned or ())}
    waiting = [job for job in jobs if job.state is JobState.QUEUED]
    users = Counter({"kim": 2, "lee": 2, "park": 1})
    [server] = lab.status.current()
    assert server.snapshot
    users.update({user: len(TAKEN) for user in server.snapshot.users})
    counted = ", ".join(f"{user} {count}" for user, count in sorted(users.items()))
    assert {job.reason for job in waiting} == {f"all 8 GPUs in use ({counted})"}
    places = lab.queue.places()
    # Of the GPUs park has one, the others two each: a job without counts in its own queue alone.
    assert [places[job.id] for job in waiting if job.requested_by == "park"] == [1, 4]
