"""The processes of a drill, as /proc shows them."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "SHEETRACK_DRILL"
"""The environment variable that every process of a drill inherits."""
FOREIGN = "SHEETRACK_DRILL_FOREIGN"
"""Set in the processes that stand for colleagues' work."""


@dataclass(frozen=True)
class Seen:
    """A process that had not ended when it was looked at."""

    pid: int
    session: int
    began: float
    """When it started, in seconds since 1970."""
    job: str
    """The job that it belongs to; empty: none."""
    gpus: tuple[str, ...]
    """UUIDs in its CUDA_VISIBLE_DEVICES."""
    is_foreign: bool


_strangers: dict[str, set[str]] = {}
"""The numbers of the processes that were there before each drill and have not ended, by its name."""


def seen(mark: str) -> list[Seen]:
    """All processes of the drill of that name; the first call is before its first process."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    there = {name for name in os.listdir("/proc") if name.isdecimal()}  # noqa: PTH208 - ten times a second
    strangers = _strangers[mark] = _strangers.get(mark, there) & there
    for name in there - strangers:
        with suppress(OSError, psutil.Error):
            content = Path("/proc", name, "environ").read_bytes().split(b"\0")
            if wanted not in content:
                continue
            variables = dict(part.decode().partition("=")[::2] for part in content)
            pid = int(name)
            gpus = tuple(filter(None, variables.get("CUDA_VISIBLE_DEVICES", "").split(",")))
            began = psutil.Process(pid).create_time()
            job = variables.get("SHEETRACK_JOB", "")
            found.append(Seen(pid, os.getsid(pid), began, job, gpus, FOREIGN in variables))
    return found


def send(pid: int, number: signal.Signals) -> bool:
    """Sends the signal; returns whether there was such a process."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def end_all(mark: str) -> None:
    """Kills whatever the drill has started, also what starts meanwhile."""
    while left := [process.pid for process in seen(mark) if process.pid != os.getpid()]:
        for pid in left:
            send(pid, signal.SIGKILL)
        psutil.wait_procs([psutil.Process(pid) for pid in left if psutil.pid_exists(pid)], timeout=1)
