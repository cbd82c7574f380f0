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
_HUGE_PAGES = Path("/sys/kernel/mm/hugepages")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_KIB_PER_MIB = 1024
SHORTEST_SPAN_SECONDS = 0.5  # the kernel counts processor time in hundredths of a second


class HostProbe:
    """Reads what never blocks: no process, no disk, no GPU. Not safe to share between threads."""

    def __init__(self) -> None:
        self._cpu = _CpuUse()
        self._swap = _SwapTraffic()
        self._booted_at = known(_booted_at)
        self._boot_id = known(
            lambda: (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        )

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
            "memory_available_mib": _available_mib(memory),
            "swap_used_mib": None
            if swap_total is None or swap_free is None
            else round(swap_total - swap_free, 1),
            "swap_mib_per_second": known(self._swap.mib_per_second),
            "pressure": {
                "cpu_some_percent": known(lambda: read_pressure("cpu", "some")),
                "memory_full_percent": known(lambda: read_pressure("memory", "full")),
                "memory_full_10s_percent": known(lambda: read_pressure("memory", "full", "avg10")),
                "io_full_percent": known(lambda: read_pressure("io", "full")),
            },
            "booted_at": self._booted_at,
            "boot_id": self._boot_id,
        }


def read_pressure(resource: str, kind: str, average: str = "avg60") -> float | None:
    """An average of the line `kind` in `/proc/pressure/<resource>`, in per cent.

    https://docs.kernel.org/accounting/psi.html

    Raises:
        OSError: this kernel does not account for pressure.
    """
    for line in (_PRESSURE / resource).read_text(encoding="ascii").splitlines():
        name, *fields = line.split()
        if name == kind:
            return float(dict(field.split("=") for field in fields)[average])
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


def _available_mib(memory: dict[str, float]) -> float | None:
    """What programs can still get. The kernel does not count ZFS's cache and free huge pages."""
    available = memory.get("MemAvailable")
    if available is None:
        return None
    if memory.get("Hugetlb"):
        available += known(_free_huge_pages_mib) or 0
    available += known(_zfs_cache_mib) or 0
    return round(min(available, memory.get("MemTotal", available)), 1)


def _zfs_cache_mib() -> float:
    """How much ZFS gives back when programs need memory.

    https://openzfs.github.io/openzfs-docs/Performance%20and%20Tuning/Module%20Parameters.html#zfs-arc-min
    """
    sizes = {}
    for line in (_PROC / "spl/kstat/zfs/arcstats").read_text(encoding="ascii").splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[0] in ("size", "c_min"):
            sizes[fields[0]] = int(fields[2])
    return max(0, sizes["size"] - sizes["c_min"]) / 2**20


def _free_huge_pages_mib() -> float:
    """Huge pages that no program has or has reserved, of all sizes."""
    free = 0.0
    for folder in _HUGE_PAGES.iterdir():
        size_kib = int(folder.name[len("hugepages-") : -len("kB")])
        counts = [int((folder / name).read_text()) for name in ("free_hugepages", "resv_hugepages")]
        free += max(0, counts[0] - counts[1]) * size_kib / _KIB_PER_MIB
    return free


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


class _SwapTraffic:
    """What goes to swap and comes from there, since the previous reading."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._before = known(_swapped_pages)
        self._mib_per_second: float | None = None

    def mib_per_second(self) -> float | None:
        at = time.monotonic()
        if self._before is None or at - self._at < SHORTEST_SPAN_SECONDS:
            return self._mib_per_second
        pages = _swapped_pages()
        moved = max(0, pages - self._before) * _PAGE_BYTES / 2**20
        self._mib_per_second = round(moved / (at - self._at), 2)
        self._at, self._before = at, pages
        return self._mib_per_second


def _swapped_pages() -> int:
    """Pages written to and read from swap since the machine started."""
    pages = 0
    for line in (_PROC / "vmstat").read_text(encoding="ascii").splitlines():
        if line.startswith(("pswpin ", "pswpout ")):
            pages += int(line.split()[1])
    return pages


def _cpu_times() -> tuple[int, int]:
    """Idle and total, in ticks: user, nice, system, idle, iowait, irq, softirq, steal.

    A guest's time, which follows them, is part of `user` and `nice` already.
    """
    with (_PROC / "stat").open(encoding="ascii") as stat:
        ticks = [int(field) for field in stat.readline().split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
