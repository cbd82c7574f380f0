"""Signs of overload in one reading. Pure.

The thresholds are those of contention, not of high use: a GPU at 100 % is busy, a server on which work stands
still is overloaded.
"""

from backend.probe.snapshot import HostReading, Snapshot
from backend.servers.use import BUSY_CPU_PERCENT, BUSY_GPU_PERCENT, left_fraction

PRESSURE = "memory pressure"
DISK = "disk pressure"
CPU = "CPU pressure"
LOAD = "load"
SWAP = "swap traffic"
MEMORY = "memory"
CLEARED = 0.8  # of the threshold

PLENTY = 0.2
"""With that much memory left a stall is that of a group of processes at its own limit, not the server's."""
_LITTLE, _VERY_LITTLE = 0.1, 0.03
_MOST_MIB_LEFT = 32 << 10  # a server of 2 TiB works well with 3 % left
STALLED_PERCENT = 10
_STALL_PERCENT = 40
_WAITING_TASKS = 3  # one program that copies a file waits for the disk all the time, and harms no other


def strain_levels(snapshot: Snapshot) -> dict[str, float]:
    """The level of each sign of overload that is known, 1 at its threshold."""
    host = snapshot.host or HostReading()
    pressure, levels = host.pressure, {}
    load, left = load_per_core(host), left_fraction(host)
    if pressure.memory_full_percent is not None and not has_plenty(host):
        levels[PRESSURE] = pressure.memory_full_percent / STALLED_PERCENT
    if pressure.io_full_percent is not None and (host.load_1min is None or host.load_1min >= _WAITING_TASKS):
        levels[DISK] = pressure.io_full_percent / 20
    if pressure.cpu_some_percent is not None and load is not None:
        heavy = 3 if _gpus_work(snapshot) else 1.5
        levels[CPU] = min(pressure.cpu_some_percent / 50, load / heavy)
    if load is not None and (not has_pressure(host) or waits_for_disks(host)):
        levels[LOAD] = load / (3 if _gpus_work(snapshot) and not waits_for_disks(host) else 2)
    if host.swap_mib_per_second is not None and not has_pressure(host):
        levels[SWAP] = host.swap_mib_per_second / 8
    if left is not None and _is_contended(host):
        levels[MEMORY] = _LITTLE / max(left, 0.001)
    return levels


def urgent_signs(snapshot: Snapshot, before: frozenset[str]) -> set[str]:
    """The signs that need one reading alone, because the server may be gone before the next one.

    `before` are the signs of overload so far, which end at another threshold than they begin.
    """
    host, signs = snapshot.host or HostReading(), set()
    left, pressure = left_fraction(host), host.pressure
    limit = _VERY_LITTLE / CLEARED if MEMORY in before else _VERY_LITTLE
    if left is not None and left < limit and (host.memory_available_mib or 0) < _MOST_MIB_LEFT:
        signs.add(MEMORY)
    stall = max(pressure.memory_full_percent or 0, pressure.memory_full_10s_percent or 0)
    if stall > _STALL_PERCENT and not has_plenty(host):
        signs.add(PRESSURE)
    return signs


def has_pressure(host: HostReading) -> bool:
    """Whether the kernel accounts for pressure; that of the RHEL family does not by default."""
    return host.pressure.cpu_some_percent is not None or host.pressure.memory_full_percent is not None


def has_plenty(host: HostReading) -> bool:
    """Whether much memory is left, so that a stall is not the server's."""
    return (left_fraction(host) or 0) >= PLENTY


def waits_for_disks(host: HostReading) -> bool:
    """Whether load, as far as there is any, comes from processes that wait in the kernel."""
    return host.cpu_percent is not None and host.cpu_percent < BUSY_CPU_PERCENT


def load_per_core(host: HostReading) -> float | None:
    """The load of one minute for each core; None where it is unknown."""
    return host.load_1min / host.cpu_count if host.load_1min is not None and host.cpu_count else None


def _is_contended(host: HostReading) -> bool:
    """Whether work waits for memory, as far as this kernel tells."""
    if has_pressure(host):
        return (host.pressure.memory_full_percent or 0) >= 1
    return host.swap_mib_per_second is None or host.swap_mib_per_second >= 1


def _gpus_work(snapshot: Snapshot) -> bool:
    return any((gpu.utilization_percent or 0) >= BUSY_GPU_PERCENT for gpu in snapshot.gpus or ())
