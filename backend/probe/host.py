"""Processor, memory and pressure of this machine, as the Linux kernel answers at once."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")

_PROC = Path("/proc")
_PRESSURE = Path("/proc/pressure")
_KIB_PER_MIB = 1024
SHORTEST_SPAN_SECONDS = 0.5  # the kernel counts processor time in hundredths of a second


class HostProbe:
    """Reads what never blocks: no process, no disk, no GPU. Not safe to share between threads."""

    def __init__(self) -> None:
        self._cpu = _CpuUse()
        self._booted_at = known(_booted_at)

    def read(self) -> dict[str, Any]:
        """The fields of a `HostReading`; every one that this machine cannot give is None."""
        memory = known(_memory_mib) or {}
        load = known(os.getloadavg)
        swap_total, swap_free = memory.get("SwapTotal"), memory.get("SwapFree")
        return {
            "cpu_percent": known(self._cpu.percent),
            "cpu_count": os.cpu_count(),
            "load_1min": load and round(load[0], 2),
            "memory_total_mib": memory.get("MemTotal"),
            "memory_available_mib": memory.get("MemAvailable"),
            "swap_used_mib": None
            if swap_total is None or swap_free is None
            else round(swap_total - swap_free, 1),
            "pressure": {
                "cpu_some_percent": known(lambda: read_pressure("cpu", "some")),
                "memory_full_percent": known(lambda: read_pressure("memory", "full")),
                "io_full_percent": known(lambda: read_pressure("io", "full")),
            },
            "booted_at": self._booted_at,
        }


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


def known(read: Callable[[], Value]) -> Value | None:
    """The value, or None where this machine does not have it."""
    try:
        return read()
    except (OSError, ValueError, KeyError, IndexError):
        return None


def _memory_mib() -> dict[str, float]:
    """The lines of /proc/meminfo, https://docs.kernel.org/filesystems/proc.html#meminfo."""
    memory = {}
    for line in (_PROC / "meminfo").read_text(encoding="ascii").splitlines():
        name, _, amount = line.partition(":")
        if amount.endswith(" kB"):
            memory[name] = round(int(amount.split()[0]) / _KIB_PER_MIB, 1)
    return memory


def _booted_at() -> str:
    for line in (_PROC / "stat").read_text(encoding="ascii").splitlines():
        if line.startswith("btime "):
            return datetime.fromtimestamp(int(line.split()[1]), timezone.utc).isoformat()
    raise ValueError("no btime")


class _CpuUse:
    """The share of processor time in use since the previous reading, in per cent of all cores."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._before = known(_cpu_times)
        self._percent: float | None = None

    def percent(self) -> float | None:
        at = time.monotonic()
        if self._before is None or at - self._at < SHORTEST_SPAN_SECONDS:
            return self._percent
        idle, total = _cpu_times()
        if total > self._before[1]:
            busy = 1 - (idle - self._before[0]) / (total - self._before[1])
            self._percent = round(min(100.0, max(0.0, 100 * busy)), 1)
        self._at, self._before = at, (idle, total)
        return self._percent


def _cpu_times() -> tuple[int, int]:
    """Idle and total, in ticks: user, nice, system, idle, iowait, irq, softirq, steal.

    A guest's time, which follows them, is part of `user` and `nice` already.
    """
    with (_PROC / "stat").open(encoding="ascii") as stat:
        ticks = [int(field) for field in stat.readline().split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
