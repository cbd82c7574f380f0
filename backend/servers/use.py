"""How much of a server is in use, from one snapshot."""

from collections.abc import Iterable

from backend.probe.snapshot import GpuInstance, GpuReading, HostReading, Snapshot
from backend.servers.state import State

FULL_MEMORY = 0.95
FREE_MEMORY = 0.05  # a driver and a desktop always hold some
IDLE_GPU_PERCENT = 5
BUSY_CPU_PERCENT = 25
IDLE_CPU_PERCENT = 20


def use_of(snapshot: Snapshot, before: State | None) -> State:
    """Idle, busy or full. `before` is the state so far: the CPU leaves it at another threshold than it enters it.

    GPUs that have not been read take no job. A server is not known to be idle where nothing reads its GPUs,
    or where it has none and its CPU use is unknown.
    """
    host, gpus = snapshot.host or HostReading(), snapshot.gpus
    if (host.memory_used_fraction or 0) >= FULL_MEMORY or gpus is None:
        return State.FULL
    if gpus:
        working = working_gpus(snapshot)
        if all(is_full(gpu) for gpu in working):
            return State.FULL
        if not all(is_free(gpu) for gpu in working):
            return State.BUSY
    elif snapshot.other_gpus or host.cpu_percent is None:
        return State.BUSY
    return State.BUSY if _cpu_is_busy(host, before) else State.IDLE


def use_percent(snapshot: Snapshot) -> float | None:
    """The mean of its GPUs, or of its CPU where it has none."""
    if snapshot.gpus != ():
        known = [g.utilization_percent for g in snapshot.gpus or () if g.utilization_percent is not None]
        return sum(known) / len(known) if known else None
    return snapshot.host.cpu_percent if snapshot.host else None


def _cpu_is_busy(host: HostReading, before: State | None) -> bool:
    return (host.cpu_percent or 0) >= (IDLE_CPU_PERCENT if before is State.BUSY else BUSY_CPU_PERCENT)


def working_gpus(snapshot: Snapshot) -> list[GpuReading]:
    return [gpu for gpu in snapshot.gpus or () if not gpu.fault]


def is_free(gpu: GpuReading) -> bool:
    """Known to be unused; a divided GPU is free while all of its instances are."""
    if gpu.instances is not None:
        return bool(gpu.instances) and len(free_instances(gpu)) == len(gpu.instances)
    if gpu.fault or (gpu.utilization_percent or 0) >= IDLE_GPU_PERCENT:
        return False
    return _has_free_memory(gpu)


def free_instances(gpu: GpuReading) -> list[GpuInstance]:
    """The instances of a divided GPU that are known to be unused."""
    if gpu.fault:
        return []
    return [part for part in gpu.instances or () if not part.processes and _has_free_memory(part)]


def free_gpus(gpus: Iterable[GpuReading]) -> list[GpuInstance]:
    """GPUs that are free, and free instances of divided GPUs."""
    found: list[GpuInstance] = []
    for gpu in gpus:
        found += free_instances(gpu) if gpu.instances is not None else [gpu] * is_free(gpu)
    return found


def _has_free_memory(gpu: GpuReading | GpuInstance) -> bool:
    """Whether its memory is free. Without a reading of it: whether it is known to run nothing."""
    if gpu.memory_used_fraction is None:
        return gpu.processes == ()
    return gpu.memory_used_fraction < FREE_MEMORY


def is_full(gpu: GpuReading) -> bool:
    if gpu.instances:
        return all((part.memory_used_fraction or 0) >= FULL_MEMORY for part in gpu.instances)
    return (gpu.memory_used_fraction or 0) >= FULL_MEMORY


def is_idle_but_held(gpu: GpuReading) -> bool:
    """Memory is taken, and nothing runs."""
    return (
        gpu.utilization_percent is not None
        and gpu.utilization_percent < IDLE_GPU_PERCENT
        and (gpu.memory_used_fraction or 0) >= FREE_MEMORY
    )
