"""Trainings as process groups on this machine. They outlive the backend."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from backend.errors import UnavailableError
from backend.jobs.engines import LostError, ProcessState
from backend.jobs.job import Job
from models.process import command, lower_priority
from models.run_folder import RunFolder

_CLOCK_SECONDS = 1.0
"""The clock of this machine may be set by so much between two looks at a start time."""
_MARK = "SHEETRACK_RUN"
"""The environment variable that names a job's run folder; its children inherit it."""


class LocalEngine:
    """Finds the processes of a job by the lock on its run folder, its handle and their environment.

    All three outlive the backend, so that a restarted one finds them.
    """

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._children: dict[str, str] = {}
        """Handles of what this process started, by job: they stay as zombies until it waits for them."""

    def start(self, job: Job) -> str:
        folder = RunFolder(self._runs / job.id)
        if running := self._processes(job):
            return _handle(min(running, key=lambda process: process.pid))
        training = command("train", str(folder.path))
        nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        written = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        log = (os.POSIX_SPAWN_OPEN, 1, str(folder.log_file), written, 0o644)
        both = (os.POSIX_SPAWN_DUP2, 1, 2)
        try:
            # Not a Popen, which must be waited for: this process outlives the backend.
            pid = os.posix_spawn(
                training[0],
                training,
                {**os.environ, _MARK: str(folder.path.resolve())},
                file_actions=[nothing, log, both],
                setsid=True,
                setsigdef=[signal.SIGPIPE],
            )
        except OSError as error:
            raise UnavailableError(
                f"The training could not be started: {error.strerror}.", "Free disk space or memory."
            ) from error
        handle = self._children[job.id] = _handle(psutil.Process(pid))
        lower_priority(pid)
        return handle

    def poll(self, job: Job) -> ProcessState:
        # The lock first: it is quick to look at, and held during nearly the whole training.
        if RunFolder(self._runs / job.id).trainer_pid() or self._processes(job):
            return ProcessState.RUNNING
        return ProcessState.EXITED

    def stop(self, job: Job, *, kill: bool = False) -> None:
        processes = self._processes(job)
        refused = []
        for process in processes:
            try:
                process.kill() if kill else process.terminate()
            except psutil.AccessDenied:
                refused.append(str(process.pid))
            except psutil.NoSuchProcess:
                continue
        if refused:
            raise LostError(
                f"Process {' and '.join(refused)} may not be ended by this user.", "End it there."
            )
        if not processes and (pid := RunFolder(self._runs / job.id).trainer_pid()):
            raise LostError(
                f"Run {job.id} is locked from another machine or container, by its process {pid}.",
                "End that process there.",
            )

    def _processes(self, job: Job) -> set[psutil.Process]:
        """All processes of the job that have not ended."""
        folder = RunFolder(self._runs / job.id)
        found: set[psutil.Process] = set()
        if trainer := _holder(folder):
            found |= {trainer, *_children(trainer)}
        if leader := _leader(job.handle or self._children.get(job.id, "")):
            found |= {leader, *_children(leader)}
        mark = str(folder.path.resolve())
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get(_MARK) == mark:
                    found |= {process, *_children(process)}
        alive = {process for process in found if not _is_zombie(process)}
        if not alive:
            self._reap(job)
        return alive

    def _reap(self, job: Job) -> None:
        """Collects the exit status of a child that has ended: it would stay as a zombie."""
        if handle := self._children.pop(job.id, None):
            with suppress(ChildProcessError):
                os.waitpid(int(handle.split()[0]), os.WNOHANG)

    def log(self, job: Job) -> str:
        return RunFolder(self._runs / job.id).log_tail()

    def close(self) -> None: ...


def _handle(process: psutil.Process) -> str:
    """PID and start time: the number alone may belong to another process later."""
    return f"{process.pid} {process.create_time()}"


def _leader(handle: str) -> psutil.Process | None:
    """The process of that handle; it is found by it alone while it ends, when it has neither lock nor environment."""
    with suppress(psutil.Error, ValueError):
        pid, started_at = handle.split()
        process = psutil.Process(int(pid))
        if abs(process.create_time() - float(started_at)) < _CLOCK_SECONDS:
            return process
    return None


def _holder(folder: RunFolder) -> psutil.Process | None:
    """The process that holds the run's lock, if it is one of this machine.

    Its PID may come from another machine or container that shares the folder, and be another process here.
    """
    pid = folder.trainer_pid()
    if pid is None:
        return None
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for file in process.open_files():
            with suppress(OSError):
                if Path(file.path).samefile(folder.lock_file):
                    return process
    return None


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def _is_zombie(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True
