"""Processes on this machine that do not behave: found, killed, and never another's."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from backend.jobs.engines import LostError, ProcessState
from backend.jobs.engines.local import LocalEngine
from backend.jobs.job import Job
from models.run_folder import RunFolder
from tests import examples

STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
print(flush=True)
time.sleep(600)
"""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return examples.job(RunFolder.create(tmp_path, examples.recipe()).id)


@contextmanager
def process(code: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env=os.environ | environment,
        start_new_session=True,
    )
    assert started.stdout
    started.stdout.readline()
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def test_all_processes_of_a_job_are_found_and_killed(tmp_path: Path, job: Job) -> None:
    # As an earlier backend started them: no lock yet, no handle, one in its own session.
    folder = tmp_path / job.id
    engine = LocalEngine(tmp_path)
    with process(STUBBORN, SHEETRACK_RUN=str(folder.resolve())) as trainer:
        children = psutil.Process(trainer.pid).children()
        assert len(children) == 1
        engine.stop(job)
        assert engine.poll(job) is ProcessState.RUNNING
        trainer.kill()
        trainer.wait()
        assert engine.poll(job) is ProcessState.RUNNING  # its child
        engine.stop(job, kill=True)
        psutil.wait_procs(children, timeout=60)
        assert engine.poll(job) is ProcessState.EXITED
        engine.stop(job, kill=True)


def test_no_process_is_started_beside_one_that_runs(tmp_path: Path, job: Job) -> None:
    with process(STUBBORN, SHEETRACK_RUN=str((tmp_path / job.id).resolve())) as trainer:
        assert LocalEngine(tmp_path).start(job).split()[0] == str(trainer.pid)
        for child in psutil.Process(trainer.pid).children():
            child.kill()


def test_the_process_of_another_machine_that_locks_the_run_is_not_mistaken(tmp_path: Path, job: Job) -> None:
    folder = RunFolder(tmp_path / job.id)
    with (
        process("print(flush=True); import time; time.sleep(600)") as innocent,
        folder.lock_file.open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(innocent.pid))
        lock.flush()
        engine = LocalEngine(tmp_path)
        assert engine.poll(job) is ProcessState.RUNNING
        for kill in (False, True):
            with pytest.raises(LostError, match="another machine or container"):
                engine.stop(job, kill=kill)
        assert innocent.poll() is None
    assert engine.poll(job) is ProcessState.EXITED


def test_a_training_that_ended_leaves_no_zombie(tmp_path: Path, job: Job) -> None:
    engine = LocalEngine(tmp_path)
    pid = int(engine.start(job).split()[0])
    engine.stop(job, kill=True)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(60)
    assert engine.poll(job) is ProcessState.EXITED
    assert not psutil.pid_exists(pid)
