"""Processor, memory and pressure of this machine, as the kernel answers at once."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import psutil

from backend.probe.snapshot import HostReading, Pressure

Value = TypeVar("Value")

_MIB = 2**20
_PRESSURE = Path("/proc/pressure")
_SHORTEST_SPAN_SECONDS = 0.5  # the kernel counts processor time in hundredths of a second


class HostProbe:
    """Reads what never blocks: no process, no disk, no GPU. Not safe to share between threads.

    Every field that this machine cannot give is None.
    """

    def __init__(self) -> None:
        self._cpu = _CpuUse()
        booted = _known(psutil.boot_time)
        self._booted_at = None if booted is None else datetime.fromtimestamp(booted, UTC)
        self._cpu_count = psutil.cpu_count()

    def read(self) -> HostReading:
        memory = _known(psutil.virtual_memory)
        swap = _known(psutil.swap_memory)
        load = _known(os.getloadavg)
        return HostReading(
            cpu_percent=_known(self._cpu.percent),
            cpu_count=self._cpu_count,
            load_1min=load and round(load[0], 2),
            memory_total_mib=memory and round(memory.total / _MIB, 1),
            memory_available_mib=memory and round(memory.available / _MIB, 1),
            swap_used_mib=swap and round(swap.used / _MIB, 1),
            pressure=Pressure(
                cpu_some_percent=_known(lambda: read_pressure("cpu", "some")),
                memory_full_percent=_known(lambda: read_pressure("memory", "full")),
                io_full_percent=_known(lambda: read_pressure("io", "full")),
            ),
            booted_at=self._booted_at,
        )


def read_pressure(resource: str, kind: str) -> float | None:
    """`avg60` of the line `kind` in `/proc/pressure/<resource>`, in per cent.

    https://docs.kernel.org/accounting/psi.html

    Raises:
        OSError: this kernel does not account for pressure.
    """
    for line in (_PRESSURE / resource).read_text(encoding="ascii").splitlines():
        name, *fields = line.split()
        if name == kind:
            return float(dict(field.split("=") for field in fields)["avg60"])
    return None


def disk_free_gib(path: Path) -> float:
    """What an ordinary user can still write below `path`. Blocks while a network disk hangs."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    return round(psutil.disk_usage(str(there)).free / 2**30, 1)


class _CpuUse:
    """The share of processor time in use since the reading before, in per cent of all cores.

    psutil.cpu_percent is not used: it keeps its last reading per thread and begins with 0.0.
    """

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._times = psutil.cpu_times()
        self._percent: float | None = None

    def percent(self) -> float | None:
        at = time.monotonic()
        if at - self._at < _SHORTEST_SPAN_SECONDS:
            return self._percent
        times = psutil.cpu_times()
        idle = _idle(times) - _idle(self._times)
        total = _total(times) - _total(self._times)
        if total > 0:
            self._percent = round(min(100.0, max(0.0, 100 * (1 - idle / total))), 1)
        self._at, self._times = at, times
        return self._percent


def _idle(times: psutil._ntuples.scputimes) -> float:
    return float(times.idle + getattr(times, "iowait", 0.0))


def _total(times: psutil._ntuples.scputimes) -> float:
    # A guest's time is part of `user` and `nice` already.
    return sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)


def _known(read: Callable[[], Value]) -> Value | None:
    """The value, or None where this machine does not have it."""
    try:
        return read()
    except (OSError, psutil.Error, RuntimeError, AttributeError, ValueError, KeyError):
        return None
