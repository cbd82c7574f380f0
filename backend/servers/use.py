"""How much of a server is taken, from one snapshot."""

from backend.probe.snapshot import GpuReading, HostReading, Snapshot
from backend.servers.state import State

FULL_MEMORY = 0.95
FREE_MEMORY = 0.05  # a driver and a desktop hold a little
IDLE_GPU_PERCENT = 5
BUSY_CPU_PERCENT = 25
IDLE_CPU_PERCENT = 20


def use_of(snapshot: Snapshot, before: State | None) -> State:
    """Idle, busy or full; `before` is what it was, so that the CPU at its threshold does not flicker."""
    host, gpus = snapshot.host or HostReading(), snapshot.gpus
    if (host.memory_used_fraction or 0) >= FULL_MEMORY or snapshot.gpu_fault:
        return State.FULL
    if gpus:
        working = working_gpus(snapshot)
        if all(is_full(gpu) for gpu in working):
            return State.FULL
        if not all(is_free(gpu) for gpu in working):
            return State.BUSY
    return State.BUSY if _cpu_is_busy(host, before) else State.IDLE


def use_percent(snapshot: Snapshot) -> float | None:
    """The mean of its GPUs, or of its CPU where it has none."""
    if snapshot.gpus or snapshot.gpu_fault:
        known = [g.utilization_percent for g in snapshot.gpus or () if g.utilization_percent is not None]
        return sum(known) / len(known) if known else None
    return snapshot.host.cpu_percent if snapshot.host else None


def _cpu_is_busy(host: HostReading, before: State | None) -> bool:
    return (host.cpu_percent or 0) >= (IDLE_CPU_PERCENT if before is State.BUSY else BUSY_CPU_PERCENT)


def working_gpus(snapshot: Snapshot) -> list[GpuReading]:
    return [gpu for gpu in snapshot.gpus or () if not gpu.fault]


def is_free(gpu: GpuReading) -> bool:
    """Known to be unused; a GPU that tells neither memory nor use is free if it is known to run nothing."""
    memory, use = gpu.memory_used_fraction, gpu.utilization_percent
    if gpu.fault or (memory is not None and memory >= FREE_MEMORY) or (use or 0) >= IDLE_GPU_PERCENT:
        return False
    return memory is not None or gpu.processes == ()


def is_full(gpu: GpuReading) -> bool:
    return (gpu.memory_used_fraction or 0) >= FULL_MEMORY


def is_idle_but_held(gpu: GpuReading) -> bool:
    """Memory is taken, and nothing runs."""
    return (
        gpu.utilization_percent is not None
        and gpu.utilization_percent < IDLE_GPU_PERCENT
        and (gpu.memory_used_fraction or 0) >= FREE_MEMORY
    )
