"""Processes on this machine that do not behave: found, killed, and never another's."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from backend.jobs.engines import LostError, ProcessState, local
from backend.jobs.engines.local import LocalEngine
from backend.jobs.job import Job
from models import file_lock
from models.process import Identity, command, identify
from models.run_folder import RunFolder
from models.run_lock import RunLock
from tests import examples
from tests.patience import PATIENCE_SECONDS, wait_until
from tests.speech import hang, write_words

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
        assert Identity.model_validate_json(LocalEngine(tmp_path).start(job)).pid == trainer.pid
        for child in psutil.Process(trainer.pid).children():
            child.kill()


HOLDING = """
import os, sys, time
from models.run_lock import RunLock
lock = RunLock(__import__("pathlib").Path(sys.argv[1]))
if "children" in sys.argv:
    if os.fork():
        os._exit(0)
    os.setsid()
print(os.getpid(), flush=True)
time.sleep(600)
"""


@contextmanager
def holding(folder: RunFolder, *options: str) -> Iterator[psutil.Process]:
    """A process that holds the lock of a run, and that nothing else connects with its job."""
    words = [sys.executable, "-c", HOLDING, str(folder.lock_file), *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as started:
        assert started.stdout
        holder = psutil.Process(int(started.stdout.readline()))
        try:
            yield holder
        finally:
            with suppress(psutil.NoSuchProcess):
                holder.kill()


@pytest.mark.parametrize("field", ["boot", "namespace", "started"])
def test_a_pid_that_counts_elsewhere_is_left_alone(tmp_path: Path, job: Job, field: str) -> None:
    folder = RunFolder(tmp_path / job.id)
    with process("print(flush=True); import time; time.sleep(600)") as innocent:
        changes = {field: 7 if field == "started" else "another", "host": "gpu9"}
        other = identify(innocent.pid).model_copy(update=changes).model_dump_json()
        job = job.model_copy(update={"handle": other})
        engine = LocalEngine(tmp_path)
        for kill in (False, True):
            engine.stop(job, kill=kill)
        folder.lock_file.write_text(other)
        assert engine.poll(job) is ProcessState.EXITED
        with held_unseen(folder):
            assert engine.poll(job) is ProcessState.RUNNING
            for kill in (False, True):
                with pytest.raises(LostError, match=rf"locked by process {innocent.pid} of gpu9"):
                    engine.stop(job, kill=kill)
            with pytest.raises(LostError, match="locked by process"):
                engine.start(job)
        assert innocent.poll() is None
        # The same process, named in full, is ended.
        engine.stop(job.model_copy(update={"handle": identify(innocent.pid).model_dump_json()}))
        assert innocent.wait(PATIENCE_SECONDS)


@contextmanager
def held_unseen(folder: RunFolder) -> Iterator[None]:
    """Holds the lock as a process does that is not seen here: one of another machine or container."""
    with pytest.MonkeyPatch.context() as patch, folder.lock_file.open("r+") as lock:
        assert file_lock.take(lock.fileno())
        patch.setattr(file_lock, "is_held", lambda *_: False)
        yield


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who holds a lock")
@pytest.mark.parametrize("options", [[], ["children"]])
def test_whatever_holds_the_lock_is_ended(tmp_path: Path, job: Job, options: list[str]) -> None:
    # As after the death of a backend that had started it and noted nothing.
    folder = RunFolder(tmp_path / job.id)
    engine = LocalEngine(tmp_path)
    with holding(folder, *options) as holder:
        assert folder.trainer_pid() is None
        assert Identity.model_validate_json(engine.start(job)).pid == holder.pid
        engine.stop(job)
        holder.wait(PATIENCE_SECONDS)
        assert engine.poll(job) is ProcessState.EXITED


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who holds a lock")
def test_a_process_that_only_reads_the_lock_file_is_left_alone(tmp_path: Path, job: Job) -> None:
    folder = RunFolder(tmp_path / job.id)
    folder.lock_file.touch()
    reading = f"file = open({str(folder.lock_file)!r}); print(flush=True); import time; time.sleep(600)"
    with process(reading) as reader, holding(folder) as holder:
        LocalEngine(tmp_path).stop(job, kill=True)
        holder.wait(PATIENCE_SECONDS)
        assert reader.poll() is None


def test_a_training_is_found_before_it_has_done_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backend is killed between the start and its note of the PID."""
    hang(write_words(tmp_path / "tones"))
    recipe = examples.recipe(data=str(tmp_path / "tones"))
    folder = RunFolder.create(tmp_path, recipe)
    job = examples.job(folder.id, recipe=recipe)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunLock, "note", killed)
        patch.setattr(local, "_MARK", "ANOTHER_MARK")  # the lock alone shows it
        with pytest.raises(KeyboardInterrupt):
            LocalEngine(tmp_path).start(job)
    assert folder.is_locked()
    second = subprocess.run(
        command("train", str(folder.path)),
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert "already being trained" in second.stderr
    following = LocalEngine(tmp_path)
    assert following.poll(job) is ProcessState.RUNNING
    following.stop(job, kill=True)
    wait_until(lambda: following.poll(job) is ProcessState.EXITED)


def _has_threads(pid: int) -> bool:
    return psutil.Process(pid).num_threads() > 200


def _has_exited(engine: LocalEngine, job: Job) -> bool:
    return engine.poll(job) is ProcessState.EXITED


def test_a_training_that_ended_leaves_no_zombie(
    tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With many threads: the process is a zombie for a while before it can be waited for.
    threads = (
        "import threading, time\nfor _ in range(300): threading.Thread(target=time.sleep, args=[99]).start()"
    )
    monkeypatch.setattr(local, "command", lambda *_: [sys.executable, "-c", threads])
    engine = LocalEngine(tmp_path)
    for number in range(5):
        one = job.model_copy(update={"id": f"r{number:06}"})
        RunFolder(tmp_path / one.id).path.mkdir()
        pid = Identity.model_validate_json(engine.start(one)).pid
        wait_until(partial(_has_threads, pid))
        engine.stop(one, kill=True)
        wait_until(partial(_has_exited, engine, one))
        assert not psutil.pid_exists(pid)
        assert "signal 9" in engine.ending(one)
