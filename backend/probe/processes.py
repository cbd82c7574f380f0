"""Who runs what on this machine."""

import heapq
import pwd
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import psutil

from backend.probe.command_line import short_command
from backend.probe.snapshot import Process

_MIB = 2**20
_NO_LOGIN = 2**32 - 1  # what the kernel writes for a process that nobody logged in to start


def owner_and_command(pid: int) -> tuple[str | None, str | None]:
    """By whom and how a process was started; None for what this user may not see or is gone."""
    try:
        created = psutil.Process(pid).create_time()
    except psutil.Error:
        return None, None
    # Remembered for a minute: a process may replace its program, as a shell's `exec` does.
    return _owner_and_command(pid, created, int(time.monotonic() / 60))


@lru_cache(maxsize=512)
def _owner_and_command(pid: int, _created: float, _minute: int) -> tuple[str | None, str | None]:
    user = command = None
    try:
        process = psutil.Process(pid)
        user = _user_name(_person(pid, process.uids().real))
        command = short_command(process.cmdline()) or process.name()
    except (psutil.Error, OSError):
        pass
    return user, command


def _person(pid: int, uid: int) -> int:
    """Whoever logged in, where they became root since then, such as by sudo."""
    if uid == 0:
        try:
            login = int(Path(f"/proc/{pid}/loginuid").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return uid
        if login != _NO_LOGIN:
            return login
    return uid


@lru_cache(maxsize=512)
def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)  # a user of a container, unknown outside


@dataclass(eq=False)
class _Seen:
    process: psutil.Process
    at: float = -float("inf")
    cpu_seconds: float = 0.0
    cpu_percent: float | None = None
    memory_mib: float = 0.0
    in_kernel: bool = False


class BusiestProcesses:
    """The processes that use most, found without reading all of them each time.

    Each `read` looks at those in the lead and at the `batch` others not looked at for longest. So the cost stays the same however many there are, and the order is a little late.
    """

    def __init__(self, batch: int = 64, leaders: int = 3) -> None:
        self._batch = batch
        self._leaders = leaders
        self._seen: dict[int, _Seen] = {}
        self._leading: list[_Seen] = []

    def read(self) -> tuple[Process, ...]:
        """The leaders in processor time and those in memory; 100 cpu_percent is one core."""
        pids = psutil.pids()
        for gone in self._seen.keys() - set(pids):
            del self._seen[gone]
        for pid in pids:
            if pid not in self._seen:
                try:
                    self._seen[pid] = _Seen(psutil.Process(pid))
                except psutil.Error:
                    continue
        ours = [seen for seen in self._seen.values() if not seen.in_kernel]
        others = (seen for seen in ours if seen not in self._leading)
        for seen in [*self._leading, *heapq.nsmallest(self._batch, others, key=lambda seen: seen.at)]:
            self._look(seen)
        by_cpu = heapq.nlargest(
            self._leaders, (seen for seen in ours if seen.cpu_percent), key=lambda seen: seen.cpu_percent or 0
        )
        by_memory = heapq.nlargest(
            self._leaders, (seen for seen in ours if seen.memory_mib), key=lambda seen: seen.memory_mib
        )
        self._leading = [*by_cpu, *(seen for seen in by_memory if seen not in by_cpu)]
        return tuple(_shown(seen) for seen in self._leading)

    def _look(self, seen: _Seen) -> None:
        before, before_seconds = seen.at, seen.cpu_seconds
        seen.at = time.monotonic()
        try:
            with seen.process.oneshot():
                times = seen.process.cpu_times()
                memory = seen.process.memory_info().rss
        except psutil.Error:
            seen.cpu_percent, seen.memory_mib = None, 0.0
            return
        seen.cpu_seconds = times.user + times.system
        seen.memory_mib = memory / _MIB
        seen.in_kernel = memory == 0
        used = seen.cpu_seconds - before_seconds
        # Less than nothing: the process ended and another one got its number.
        seen.cpu_percent = 100 * used / (seen.at - before) if used >= 0 and before >= 0 else None


def _shown(seen: _Seen) -> Process:
    user, command = owner_and_command(seen.process.pid)
    return Process(
        pid=seen.process.pid,
        user=user,
        command=command,
        cpu_percent=None if seen.cpu_percent is None else round(seen.cpu_percent, 1),
        memory_mib=round(seen.memory_mib, 1),
    )
