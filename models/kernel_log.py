"""Whether the kernel ended a process because memory ran out. Linux only; elsewhere nothing is known."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LOG = Path("/dev/kmsg")
_COUNTS = Path("/proc/vmstat")
_RECORD_BYTES = 8192
_MOST_RECORDS = 100_000


class MemoryWatch:
    """Made when a process starts, asked when it was killed."""

    def __init__(self, log: Path = _LOG, counts: Path = _COUNTS) -> None:
        self._log = log
        self._counts = counts
        self._kills = _kills(counts)

    def cause(self, pid: int) -> str:
        """`out of memory: ...` where the kernel says so, or counts such an end since; else empty."""
        pattern = re.compile(rf"Killed process {pid}\b")
        if any("ut of memory" in line and pattern.search(line) for line in _records(self._log)):
            return "out of memory: the kernel's log says so"
        if (_kills(self._counts) or 0) > (self._kills or 0) and self._kills is not None:
            return "probably out of memory: the kernel has ended a process for want of memory meanwhile"
        return ""


def _kills(counts: Path) -> int | None:
    """How many processes the kernel has ended for want of memory since it started; None: not known."""
    with suppress(OSError, ValueError):
        for line in counts.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return None


def _records(log: Path) -> Iterator[str]:
    """The lines of the kernel's log; none where it may not be read."""
    with suppress(OSError):
        descriptor = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
        try:
            for _ in range(_MOST_RECORDS):
                try:
                    record = os.read(descriptor, _RECORD_BYTES)
                except BrokenPipeError:  # it was overwritten before it was read
                    continue
                if not record:
                    return
                yield from record.decode(errors="replace").splitlines()
        finally:
            os.close(descriptor)
