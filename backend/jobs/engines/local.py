"""Jobs as process groups on this machine. They outlive the backend."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
from pydantic import ValidationError

from backend.errors import LEAST_FREE_MIB, UnavailableError, free_mib, full_disk
from backend.jobs.ending import noted_ending, rebooted
from backend.jobs.engines import LogPart, LostError, ProcessState, job_environment
from backend.jobs.engines.log_file import part_of
from backend.jobs.engines.steps import steps
from backend.jobs.job import Job
from models import file_lock, run_lock
from models.kernel_log import MemoryWatch
from models.process import Identity, command, identify, lower_priority
from models.result import ended
from models.run_folder import RunFolder
from models.run_lock import AlreadyTrainingError, RunLock

_MARK = "SHEETRACK_RUN"
"""The environment variable that names a job's run folder; its children inherit it."""


class LocalEngine:
    """Finds the processes of a job by the lock on its run folder, its handle and their environment.

    All three outlive the backend, so that a restarted one finds them. The lock is held from before the
    start: a backend that is killed in the middle of it leaves a training that is found.
    """

    def __init__(self, runs: Path, environments: Callable[[], Mapping[str, str]] = dict) -> None:
        """`environments` gives the folders of this machine's Python and conda environments, by name."""
        self._runs = runs
        self._environments = environments
        self._memory: dict[str, MemoryWatch] = {}
        self._statuses: dict[str, tuple[int, int]] = {}
        """PID and status of the children of this process that have ended, by job."""
        self._children: dict[str, str] = {}
        """Handles of what this process started, by job: they stay as zombies until it waits for them."""

    def start(self, job: Job) -> str:
        folder = RunFolder(self._runs / job.id)
        known = self._children.get(job.id)  # of one that ends just now, its command can no longer be read
        if running := self._processes(job):
            return known or _handle(min(process.pid for process in running))
        program = command(*steps(job, self._environments()), str(folder.path))
        _need_space(folder)
        try:
            lock = RunLock(folder.lock_file)
        except AlreadyTrainingError:
            raise _elsewhere(folder) from None
        except OSError as error:
            raise _not_started(error) from error
        try:
            pid = _spawned(program, folder, lock, job_environment(job))
            lock.note(pid)
            self._memory[job.id] = MemoryWatch()
            handle = self._children[job.id] = _handle(pid)
        except OSError as error:
            raise _not_started(error) from error
        finally:
            lock.close()
        lower_priority(pid)
        return handle

    def poll(self, job: Job) -> ProcessState:
        # The lock first: it is quick to look at, and held by all that was started here.
        if RunFolder(self._runs / job.id).is_locked() or self._processes(job):
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
        folder = RunFolder(self._runs / job.id)
        if not processes and folder.is_locked():
            raise _elsewhere(folder)

    def _processes(self, job: Job) -> set[psutil.Process]:
        """All processes of the job that have not ended."""
        folder = RunFolder(self._runs / job.id)
        mark = str(folder.path.resolve())
        is_locked = folder.is_locked()
        found: set[psutil.Process] = set()
        if leader := _leader(job.handle or self._children.get(job.id, "")):
            found |= {leader, *_children(leader)}
        for process in psutil.process_iter():
            if _carries(process, mark) or (is_locked and _holds(process.pid, folder.lock_file)):
                found |= {process, *_children(process)}
        alive = {process for process in found if not _is_zombie(process)}
        self._reap()
        if not alive and (handle := self._children.get(job.id)):
            # A zombie whose threads still end: its exit status is not known before they have.
            with suppress(psutil.NoSuchProcess):
                alive.add(psutil.Process(Identity.model_validate_json(handle).pid))
        return alive

    def _reap(self) -> None:
        """Collects the exit status of every child that has ended: it would stay as a zombie."""
        for job_id, handle in list(self._children.items()):
            try:
                pid, status = os.waitpid(Identity.model_validate_json(handle).pid, os.WNOHANG)
            except ChildProcessError:  # another thread was quicker
                self._children.pop(job_id, None)
                continue
            if pid:
                self._statuses[job_id] = (pid, status)
                self._children.pop(job_id, None)

    def log(self, job: Job) -> str:
        return RunFolder(self._runs / job.id).log_tail()

    def ending(self, job: Job) -> str:
        folder = RunFolder(self._runs / job.id)
        memory = self._memory.pop(job.id, None)
        if noted := noted_ending(folder):
            return noted
        if reboot := rebooted(job, datetime.fromtimestamp(psutil.boot_time(), UTC)):
            return reboot
        pid, status = self._statuses.pop(job.id, (0, 0))
        if not pid:
            return ""
        code = os.waitstatus_to_exitcode(status)
        cause = memory.cause(pid) if memory and code == -signal.SIGKILL else ""
        return ended(code if code >= 0 else None, -code if code < 0 else None, cause)

    def read_log(self, job: Job, start: int, most_bytes: int) -> LogPart:
        return part_of(RunFolder(self._runs / job.id), start, most_bytes)

    def note(self, job: Job) -> str:
        del job
        return ""

    def close(self) -> None: ...


def _spawned(program: list[str], folder: RunFolder, lock: RunLock, variables: Mapping[str, str]) -> int:
    """Starts a program that outlives this process and holds the lock of the run; returns its PID.

    It gets `variables` beside the environment of this process.
    """
    nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    written = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    log = (os.POSIX_SPAWN_OPEN, 1, str(folder.log_file), written, 0o644)
    both = (os.POSIX_SPAWN_DUP2, 1, 2)
    # A descriptor that is duplicated to its own number is handed down, and to this program alone.
    held = (os.POSIX_SPAWN_DUP2, lock.descriptor, lock.descriptor)
    # Not a Popen, which must be waited for.
    return os.posix_spawn(
        program[0],
        program,
        {
            **os.environ,
            **variables,
            _MARK: str(folder.path.resolve()),
            run_lock.VARIABLE: str(lock.descriptor),
        },
        file_actions=[nothing, log, both, held],
        setsid=True,
        setsigdef=[signal.SIGPIPE],
    )


def _handle(pid: int) -> str:
    return identify(pid).model_dump_json()


def _leader(handle: str) -> psutil.Process | None:
    """The process of that handle; it is found by it alone while it ends, when it has neither lock nor environment."""
    with suppress(psutil.Error, ValidationError):
        leader = Identity.model_validate_json(handle)
        if leader.is_alive_here:
            return psutil.Process(leader.pid)
    return None


def _carries(process: psutil.Process, mark: str) -> bool:
    with suppress(psutil.Error, OSError):
        return process.environ().get(_MARK) == mark
    return False


def _holds(pid: int, lock_file: Path) -> bool:
    """Whether a process of this machine holds that lock, as the kernel tells; only Linux can tell."""
    if sys.platform != "linux":
        return False
    descriptors = Path(f"/proc/{pid}/fd")
    with suppress(OSError):
        for number in os.listdir(descriptors):  # noqa: PTH208 - for each process
            # The name first: to look at a file of a network disk that hangs takes for ever.
            name = os.readlink(descriptors / number)  # noqa: PTH115
            if name.endswith(f"/{lock_file.parent.name}/{lock_file.name}") and (
                (descriptors / number).samefile(lock_file) and file_lock.is_held(pid, int(number))
            ):
                return True
    return False


def _elsewhere(folder: RunFolder) -> LostError:
    """The error for a run whose lock is held by a process that this one cannot see or end."""
    holder = run_lock.holder(folder.lock_file)
    who = f"process {holder.pid} of {holder.host} ({holder.command})" if holder else "a process"
    return LostError(
        f"Run {folder.id} is locked by {who}, on another machine, in another container or of another user.",
        "Cancel it where it runs, or end that process there.",
    )


def _need_space(folder: RunFolder) -> None:
    """Raises: UnavailableError: the disk of the run folder has no room for what a training writes."""
    if free_mib(folder.path) < LEAST_FREE_MIB:
        raise full_disk(folder.path.parent)


def _not_started(error: OSError) -> UnavailableError:
    return UnavailableError(
        f"The training could not be started: {error.strerror}.", "Free disk space or memory."
    )


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def _is_zombie(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True
