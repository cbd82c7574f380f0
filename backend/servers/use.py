"""How much of a server is in use, from one snapshot."""

from collections.abc import Collection, Iterable

from backend.probe.snapshot import GpuInstance, GpuProcess, GpuReading, HostReading, Snapshot
from backend.servers.faults import host_faults, works
from backend.servers.state import State

FULL_MEMORY = 0.95
_MOST_MIB_LEFT = 32 << 10  # a server of 2 TiB has room with 4 % left
HELD_MIB = 1024  # a driver holds up to some hundred MiB without any process
SETTLED_SECONDS = 20  # more than the usual time from one reading to the next
IDLE_GPU_PERCENT = 5
BUSY_GPU_PERCENT = 50
BUSY_CPU_PERCENT = 25
IDLE_CPU_PERCENT = 20


def use_of(snapshot: Snapshot, before: State | None) -> State:
    """Idle, busy or full. `before` is the state so far: the CPU leaves it at another threshold than it enters it.

    GPUs that have not been read, and a disk that is full or hangs, take no job. A server is not known to be
    idle where nothing reads its GPUs, or where it has none and its CPU use is unknown.
    """
    host, gpus = snapshot.host or HostReading(), snapshot.gpus
    if gpus is None or memory_is_full(host) or not all(fault.is_warning for fault in host_faults(host)):
        return State.FULL
    if gpus:
        working = working_gpus(snapshot)
        if all(is_full(gpu) for gpu in working):
            return State.FULL
        # A job on a faulty GPU is use all the same.
        if not all(is_free(gpu) for gpu in working) or any(computing(gpu) for gpu in gpus):
            return State.BUSY
    elif snapshot.other_gpus or host.cpu_percent is None:
        return State.BUSY
    return State.BUSY if _cpu_is_busy(host, before) else State.IDLE


def memory_is_full(host: HostReading) -> bool:
    """Whether no job finds memory."""
    is_little = (host.memory_available_mib or 0) < _MOST_MIB_LEFT
    return (host.memory_used_fraction or 0) >= FULL_MEMORY and is_little


def left_fraction(host: HostReading) -> float | None:
    """The share of its memory that is available; None where it is unknown."""
    return None if host.memory_used_fraction is None else 1 - host.memory_used_fraction


def use_percent(snapshot: Snapshot) -> float | None:
    """The mean of its GPUs, or of its CPU where it has none."""
    if snapshot.gpus != ():
        known = [g.utilization_percent for g in snapshot.gpus or () if g.utilization_percent is not None]
        return sum(known) / len(known) if known else None
    return snapshot.host.cpu_percent if snapshot.host else None


def _cpu_is_busy(host: HostReading, before: State | None) -> bool:
    return (host.cpu_percent or 0) >= (IDLE_CPU_PERCENT if before is State.BUSY else BUSY_CPU_PERCENT)


def working_gpus(snapshot: Snapshot) -> list[GpuReading]:
    """The GPUs that a job could use, were they free."""
    return [gpu for gpu in snapshot.gpus or () if works(gpu)]


def is_free(gpu: GpuReading) -> bool:
    """Whether the GPU is free for a job. Placement, rows and suggestions all use this rule.

    It is free when it has no fault, is unused (`is_unused`), and was unused in the reading before as well, so
    that a program that starts again and again does not make it free in between. A divided GPU (MIG) is free
    when it has instances and all of them are; `free_instances` has the single ones. What is not known is not
    free.
    """
    if not works(gpu):
        return False
    if gpu.instances is not None:
        return bool(gpu.instances) and len(free_instances(gpu)) == len(gpu.instances)
    return _is_free_part(gpu)


def free_instances(gpu: GpuReading) -> list[GpuInstance]:
    """The instances of a divided GPU that are free, by the rule of `is_free`."""
    return [] if not works(gpu) else [part for part in gpu.instances or () if _is_free_part(part)]


def free_gpus(gpus: Iterable[GpuReading]) -> list[GpuInstance]:
    """GPUs that are free, and free instances of divided GPUs."""
    found: list[GpuInstance] = []
    for gpu in gpus:
        found += free_instances(gpu) if gpu.instances is not None else [gpu] * is_free(gpu)
    return found


def _is_free_part(part: GpuInstance) -> bool:
    return is_unused(part) and is_settled(part)


def is_settled(part: GpuInstance) -> bool:
    """Whether it has been unused for long enough, where it is unused: in the reading before as well."""
    return part.unused_seconds is None or part.unused_seconds >= SETTLED_SECONDS


def foreign_use(part: GpuInstance, jobs: Collection[str]) -> bool:
    """Whether anything but these jobs uses a GPU or an instance in this reading, by the rule of `is_unused`."""
    theirs = [process for process in part.processes or () if process.job in jobs]
    if not theirs:
        return not is_unused(part)
    amounts = [process.memory_mib for process in theirs]
    is_known = part.memory_used_mib is not None and None not in amounts
    held = (part.memory_used_mib or 0) - sum(amount or 0 for amount in amounts) if is_known else None
    others = tuple(process for process in part.processes or () if process.job not in jobs)
    rest: dict[str, object] = {
        "processes": others,
        "memory_used_mib": None if held is None else max(0.0, held),
    }
    if isinstance(part, GpuReading):
        rest["utilization_percent"] = None
    return not is_unused(part.model_copy(update=rest))


def is_unused(part: GpuInstance) -> bool:
    """Whether nothing uses a GPU or an instance in this reading alone.

    No process computes on it, its use is below 5 %, and less than 1 GiB of its memory is used by anything but processes that draw.
    Where the processes are unknown its memory decides, where the memory is unknown its processes do; where
    both are unknown it is not known to be unused.
    """
    if isinstance(part, GpuReading) and (part.utilization_percent or 0) >= IDLE_GPU_PERCENT:
        return False
    held = held_mib(part)
    if computing(part) or (part.processes is None and held is None):
        return False
    return held is None or held < HELD_MIB


def computing(part: GpuInstance) -> list[GpuProcess]:
    """The processes that use it to compute. A display server or a desktop does not count as use."""
    return [process for process in part.processes or () if not process.is_display]


def held_mib(part: GpuInstance) -> float | None:
    """Memory in use by anything but processes that draw; None where it is unknown."""
    if part.memory_used_mib is None:
        return None
    drawn = sum(process.memory_mib or 0 for process in part.processes or () if process.is_display)
    return max(0.0, part.memory_used_mib - drawn)


def is_full(gpu: GpuReading) -> bool:
    if gpu.instances is not None:  # without any, a job finds no place either
        return all((part.memory_used_fraction or 0) >= FULL_MEMORY for part in gpu.instances)
    return (gpu.memory_used_fraction or 0) >= FULL_MEMORY


def is_idle_but_held(gpu: GpuReading) -> bool:
    """A process computes on it or holds its memory, and nothing runs."""
    return gpu.utilization_percent is not None and gpu.utilization_percent < IDLE_GPU_PERCENT and is_held(gpu)


def is_held(gpu: GpuReading) -> bool:
    """Whether a process that computes is on it, or memory is held by nothing that draws."""
    return bool(computing(gpu)) or (held_mib(gpu) or 0) >= HELD_MIB


def is_held_by_no_process(gpu: GpuReading) -> bool:
    """Whether much of its memory is in use, and no process computes on it or on an instance of it."""
    parts = [gpu, *(gpu.instances or ())]
    is_known = all(part.processes is not None for part in parts)
    return is_known and not any(computing(part) for part in parts) and (held_mib(gpu) or 0) >= HELD_MIB


def gpu_key(gpu: GpuReading) -> str:
    """What a GPU is known by: its UUID or, where the driver does not tell it, its index."""
    return gpu.uuid or f"GPU {gpu.index}"
