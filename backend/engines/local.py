"""Trainings as process groups on this machine. They outlive the backend."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from backend.engines import Life
from backend.errors import UnavailableError
from backend.job import Job
from models.run_folder import RunFolder

GRACE_SECONDS = 5
"""How long a training may take to leave a checkpoint before it is killed."""


class LocalEngine:
    """Knows a training by the lock it holds on its run folder, so a restarted backend finds it again."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, job: Job) -> str:
        folder = RunFolder(self._runs / job.id)
        if pid := self._pid(job):
            return str(pid)
        try:
            with folder.log_file.open("ab") as log:
                child = subprocess.Popen(
                    [sys.executable, "-m", "models", "train", str(folder.path)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise UnavailableError(
                f"The training could not be started: {error.strerror}.", "Free disk space or memory."
            ) from error
        _be_modest(child.pid)
        self._children[job.id] = child
        return str(child.pid)

    def poll(self, job: Job) -> Life:
        return Life.GONE if self._pid(job) is None else Life.ALIVE

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
            # poll() also collects the exit status: an uncollected child would stay as a zombie.
            if child.poll() is None:
                return child.pid
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


def _be_modest(pid: int) -> None:
    """Others' work goes first, and where memory runs out the training goes, not the server."""
    with suppress(psutil.Error):
        psutil.Process(pid).nice(10)
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("500")
