"""Trainings as process groups on this machine. They outlive the backend."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from backend.errors import UnavailableError
from backend.jobs.engines import ProcessState
from backend.jobs.job import Job
from models.process import command, lower_priority
from models.run_folder import RunFolder

GRACE_SECONDS = 5
"""How long a training may take to leave a checkpoint before it is killed."""


class LocalEngine:
    """Knows a training by the lock it holds on its run folder, so a restarted backend finds it again."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._children: dict[str, int] = {}
        """What this process started and has not seen end."""

    def start(self, job: Job) -> str:
        folder = RunFolder(self._runs / job.id)
        if pid := self._pid(job):
            return str(pid)
        training = command("train", str(folder.path))
        nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        written = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        log = (os.POSIX_SPAWN_OPEN, 1, str(folder.log_file), written, 0o644)
        both = (os.POSIX_SPAWN_DUP2, 1, 2)
        try:
            # Not a Popen, which wants to be waited for: this one outlives us.
            pid = os.posix_spawn(
                training[0],
                training,
                os.environ,
                file_actions=[nothing, log, both],
                setsid=True,
                setsigdef=[signal.SIGPIPE],
            )
        except OSError as error:
            raise UnavailableError(
                f"The training could not be started: {error.strerror}.", "Free disk space or memory."
            ) from error
        lower_priority(pid)
        self._children[job.id] = pid
        return str(pid)

    def poll(self, job: Job) -> ProcessState:
        return ProcessState.EXITED if self._pid(job) is None else ProcessState.RUNNING

    def stop(self, job: Job) -> None:
        pid = self._pid(job)
        tree = _tree(pid) if pid else []
        for process in tree:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        _, stubborn = psutil.wait_procs(tree, timeout=GRACE_SECONDS)
        for process in stubborn:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(stubborn, timeout=GRACE_SECONDS)
        self.poll(job)

    def _pid(self, job: Job) -> int | None:
        """Whoever holds the run's lock, or else the process that was started for the job.

        That one has no lock yet while it begins, and none any more while it ends.
        """
        folder = RunFolder(self._runs / job.id)
        if pid := folder.trainer_pid():
            return pid
        if child := self._children.get(job.id):
            if not _has_ended(child):
                return child
            self._children.pop(job.id, None)
        if job.handle is None:
            return None
        with suppress(psutil.Error):
            started = psutil.Process(int(job.handle))
            # The number may belong to another process by now.
            if started.status() != psutil.STATUS_ZOMBIE and str(folder.path) in started.cmdline():
                return started.pid
        return None

    def log(self, job: Job) -> str:
        return RunFolder(self._runs / job.id).log_tail()

    def close(self) -> None: ...


def _tree(pid: int) -> list[psutil.Process]:
    """The process, its descendants, and whoever else is in its process group."""
    tree: set[psutil.Process] = set()
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        tree = {root, *root.children(recursive=True)}
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == pid:
                tree.add(process)
    return list(tree)


def _has_ended(child: int) -> bool:
    """Also collects the exit status: an uncollected child would stay as a zombie."""
    try:
        return os.waitpid(child, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return True  # collected by whoever stopped it
