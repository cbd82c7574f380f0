"""Who runs what on this machine."""

from __future__ import annotations

import heapq
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from backend.probe.background import Lookups
from backend.probe.command_line import short_command
from backend.probe.owners import Owner, UserNames, owner_of

_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_IN_KERNEL = 0x00200000  # PF_KTHREAD
_ENVIRONMENT_BYTES = 1 << 20
_JOB = re.compile(rb"\0SHEETRACK_JOB=(r[0-9a-f]{6})\0")
_STAT_BYTES = 4096
_READ_BYTES = 8192  # of a command line that may be megabytes
_STUCK_SECONDS = 30.0
_PROGRAM_KEPT_SECONDS = 60.0  # a process may replace its program, as a shell's `exec` does


class Started(NamedTuple):
    """By whom and how a process was started; None for what this user may not see or is gone."""

    owner: Owner | None
    command: str | None
    job: str | None
    """The job of ours that started it."""


class Programs:
    """Who started which process, and how. One that cannot be read now delays no other."""

    def __init__(self, names: UserNames) -> None:
        self._names = names
        self._known: Lookups[tuple[int, int], Started] = Lookups(
            "programs", _started, kept_seconds=lambda _: _PROGRAM_KEPT_SECONDS
        )

    def owner_and_command(self, pid: int) -> tuple[str | None, str | None]:
        """The user's name and the short command line of a process; None: not known, or not yet."""
        started = self._started(pid)
        if started is None:
            return None, None
        return None if started.owner is None else started.owner.name(self._names), started.command

    def job(self, pid: int) -> str | None:
        """The job of ours that started the process; None: none, or that is not known."""
        started = self._started(pid)
        return started and started.job

    def _started(self, pid: int) -> Started | None:
        try:
            born = _Stat.of(pid).born
        except (OSError, ValueError, IndexError):
            return None
        return self._known.get((pid, born), wait_seconds=0.1)


def _started(process: tuple[int, int]) -> Started:
    pid, _ = process
    owner = command = None
    with suppress(OSError, ValueError):
        owner = owner_of(pid)
    with suppress(OSError, ValueError):
        with (_PROC / str(pid) / "cmdline").open("rb") as file:
            arguments = file.read(_READ_BYTES).decode(errors="replace").rstrip("\0").split("\0")
        command = short_command(arguments) or _stat_name(pid)
    return Started(owner, command, _job(pid))


def _job(pid: int) -> str | None:
    """The job's id from the environment with which the process was started, which its children inherit."""
    try:
        with (_PROC / str(pid) / "environ").open("rb") as file:
            found = _JOB.search(b"\0" + file.read(_ENVIRONMENT_BYTES) + b"\0")
    except OSError:  # of another user, or gone
        return None
    return found.group(1).decode() if found else None


def _stat_name(pid: int) -> str:
    return (_PROC / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()


class _Stat(NamedTuple):
    """The fields of /proc/<pid>/stat that count, https://docs.kernel.org/filesystems/proc.html."""

    born: int
    """Ticks from the machine's start to the process's: a number that is used again has another."""
    cpu_seconds: float
    memory_mib: float
    in_kernel: bool
    waits: bool
    """For a disk, or in a driver: it cannot be interrupted."""

    @staticmethod
    def of(pid: int) -> _Stat:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY)  # half the cost of `open`, at thousands of processes
        try:
            fields = os.read(file, _STAT_BYTES).rpartition(b")")[2].split()
        finally:
            os.close(file)
        return _Stat(
            born=int(fields[19]),
            cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND,
            memory_mib=int(fields[21]) * _PAGE_BYTES / 2**20,
            in_kernel=bool(int(fields[6]) & _IN_KERNEL),
            waits=fields[0] == b"D",
        )


@dataclass(eq=False)
class _Seen:
    pid: int
    at: float = -float("inf")
    born: int = -1
    cpu_seconds: float = 0.0
    cpu_percent: float | None = None
    memory_mib: float = 0.0
    in_kernel: bool = False
    waits_since: float | None = None


class BusiestProcesses:
    """The processes that use most, found without reading all of them each time.

    Each `read` looks at those in the lead and at the `batch` others not looked at for longest. So the
    cost stays the same however many there are, and the order is a little late.
    """

    def __init__(self, programs: Programs, batch: int = 128, leaders: int = 3) -> None:
        self._programs = programs
        self._batch = batch
        self._leaders = leaders
        self._seen: dict[int, _Seen] = {}
        self._leading: list[_Seen] = []
        self.stuck: int | None = None
        """How many processes wait in the kernel and got no processor time for half a minute."""

    def read(self) -> tuple[dict[str, Any], ...]:
        """The leaders in processor time and those in memory; 100 cpu_percent is one core."""
        if not _PROC.exists():
            return ()  # a Mac
        pids = {int(name) for name in os.listdir(_PROC) if name.isdigit()}  # noqa: PTH208 - names are enough
        for gone in self._seen.keys() - pids:
            del self._seen[gone]
        for pid in pids - self._seen.keys():
            self._seen[pid] = _Seen(pid)
        self._leading = [seen for seen in self._leading if seen.pid in self._seen]
        ours = [seen for seen in self._seen.values() if not seen.in_kernel]
        waiting = [seen for seen in ours if seen.waits_since and seen not in self._leading][: self._batch]
        first = {*self._leading, *waiting}
        others = (seen for seen in ours if seen not in first)
        for seen in [*first, *heapq.nsmallest(self._batch, others, key=lambda seen: seen.at)]:
            _look(seen)
        now = time.monotonic()
        self.stuck = sum(
            seen.waits_since is not None and now - seen.waits_since >= _STUCK_SECONDS for seen in ours
        )
        by_cpu = heapq.nlargest(
            self._leaders, (seen for seen in ours if seen.cpu_percent), key=lambda seen: seen.cpu_percent or 0
        )
        by_memory = heapq.nlargest(
            self._leaders, (seen for seen in ours if seen.memory_mib), key=lambda seen: seen.memory_mib
        )
        self._leading = [*by_cpu, *(seen for seen in by_memory if seen not in by_cpu)]
        return tuple(self._shown(seen) for seen in self._leading)

    def _shown(self, seen: _Seen) -> dict[str, Any]:
        user, command = self._programs.owner_and_command(seen.pid)
        return {
            "pid": seen.pid,
            "user": user,
            "command": command,
            "cpu_percent": None if seen.cpu_percent is None else round(seen.cpu_percent, 1),
            "memory_mib": round(seen.memory_mib, 1),
        }


def _look(seen: _Seen) -> None:
    before_at, before_seconds, before_born = seen.at, seen.cpu_seconds, seen.born
    seen.at = time.monotonic()
    try:
        stat = _Stat.of(seen.pid)
    except (OSError, ValueError, IndexError):
        seen.cpu_percent, seen.memory_mib, seen.waits_since = None, 0.0, None
        return
    seen.born, seen.cpu_seconds, seen.memory_mib = stat.born, stat.cpu_seconds, stat.memory_mib
    seen.in_kernel = stat.in_kernel
    same = before_born == stat.born
    stays = same and before_seconds == stat.cpu_seconds and seen.waits_since is not None
    seen.waits_since = (seen.waits_since if stays else seen.at) if stat.waits else None
    seen.cpu_percent = 100 * (stat.cpu_seconds - before_seconds) / (seen.at - before_at) if same else None
