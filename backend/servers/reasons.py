"""The reason of a verdict in words, short enough for a cell.

Durations are given where they matter ("for 2 min"), otherwise times of day in the time zone of `at`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from backend.probe.owners import OWN_CONTAINER
from backend.probe.snapshot import GpuReading, HostReading, Snapshot
from backend.servers import overload as signs_of
from backend.servers.faults import PROCESSES_WAIT, STUCK_PROCESSES
from backend.servers.state import Held
from backend.servers.use import (
    BUSY_CPU_PERCENT,
    computing,
    free_instances,
    gpu_key,
    held_mib,
    is_free,
    is_full,
    is_idle_but_held,
    is_unused,
    left_fraction,
    memory_is_full,
    working_gpus,
)
from backend.text import listed
from backend.times import clock, duration

HELD_IDLE = timedelta(hours=1)
"""How long a GPU is held and idle before people are told."""
_UNOWNED = timedelta(minutes=1)
_JUST_BOOTED = timedelta(minutes=10)
_WORTH_SAYING_SECONDS = 10
_SLOW_SECONDS = 15
_MIB_PER_GIB = 1024


def overload(host: HostReading | None, signs: Mapping[str, datetime], at: datetime) -> list[str]:
    """Each sign of overload with its value and its duration, such as `disk pressure 31 % for 3 min`."""
    host = host or HostReading()
    return [f"{_sign(host, sign)}{_lasting(at - since)}" for sign, since in signs.items()]


def _lasting(span: timedelta) -> str:
    return f" for {duration(span)}" if span.total_seconds() >= _WORTH_SAYING_SECONDS else ""


def _sign(host: HostReading, sign: str) -> str:
    pressure, load = host.pressure, signs_of.load_per_core(host) or 0
    match sign:
        case signs_of.PRESSURE:
            stall = max(pressure.memory_full_percent or 0, pressure.memory_full_10s_percent or 0)
            return f"memory pressure {stall:.0f} %"
        case signs_of.DISK:
            return f"disk pressure {pressure.io_full_percent or 0:.0f} %"
        case signs_of.CPU:
            return f"CPU pressure {pressure.cpu_some_percent or 0:.0f} %, load {load:.1f} per core"
        case signs_of.SWAP:
            return f"{host.swap_mib_per_second or 0:.0f} MiB/s of swap traffic"
        case signs_of.LOAD:
            # Of many that hang in the kernel the faults tell.
            few = (host.stuck_processes or 0) < STUCK_PROCESSES
            why = f", {PROCESSES_WAIT} a disk" if few and signs_of.waits_for_disks(host) else ""
            return f"load {load:.1f} per core{why}"
    by = f", most by {most}" if (most := _most_memory(host)) else ""
    return f"{100 * (left_fraction(host) or 0):.0f} % of memory left{by}"


def _most_memory(host: HostReading) -> str | None:
    """Who holds most of the memory, where one person's largest process has a quarter of what is used."""
    largest = max(host.top, key=lambda process: process.memory_mib or 0, default=None)
    used = (host.memory_total_mib or 0) - (host.memory_available_mib or 0)
    return largest.user if largest and used and (largest.memory_mib or 0) >= used / 4 else None


def before(answer: Snapshot | None) -> str:
    """`; before: 98 % of memory in use, memory pressure 40 %, most by kim`, of a server that is silent now."""
    host = answer.host if answer else None
    if host is None:
        return ""
    parts, used = [], host.memory_used_fraction
    is_short = used is not None and not signs_of.has_plenty(host)
    if host.cpu_percent is not None and not is_short:
        parts.append(f"CPU {host.cpu_percent:.0f} %")
    if used is not None:
        parts.append(f"{100 * used:.0f} % of memory in use")
    for kind, percent in (
        ("memory", host.pressure.memory_full_percent),
        ("disk", host.pressure.io_full_percent),
    ):
        if percent is not None and percent >= 1:
            parts.append(f"{kind} pressure {percent:.0f} %")
    load = signs_of.load_per_core(host)
    if load is not None and load >= 1:
        parts.append(f"load {load:.1f} per core")
    most = _most_memory(host)
    if most and is_short:
        parts.append(f"most by {most}")
    return f"; before: {', '.join(parts)}" if parts else ""


def use(answer: Snapshot, told: Collection[str] = ()) -> list[str]:
    """What is free and what is unknown. `told` are signs of overload and faults that are named already."""
    host, parts = answer.host or HostReading(), []
    if answer.gpus is None and not answer.gpu_fault:
        parts.append("GPUs not read yet")
    parts += [
        f"{what} not answering for {duration(seconds)}"
        for what, seconds in host.not_answering.items()
        if not what.startswith("disk")
    ]
    if ahead := answer.clock_ahead_seconds:
        parts.append(f"clock {duration(abs(ahead))} {'ahead' if ahead > 0 else 'behind'}")
    parts += other_gpus(answer)
    if memory_is_full(host) and signs_of.MEMORY not in told:
        parts.append(f"{100 * (host.memory_used_fraction or 0):.0f} % of memory in use")
    elif signs_of.has_plenty(host) and (host.pressure.memory_full_percent or 0) >= signs_of.STALLED_PERCENT:
        parts.append(f"a job is short of memory (memory pressure {host.pressure.memory_full_percent:.0f} %)")
    if answer.gpus:
        parts += _gpu_use(answer, told)
        if (host.cpu_percent or 0) >= BUSY_CPU_PERCENT:
            parts.append(f"CPU {host.cpu_percent:.0f} %")
        parts += host.hidden
    elif answer.gpus is not None:
        parts += _host_use(host)
    return parts


def other_gpus(answer: Snapshot) -> list[str]:
    """`8 AMD GPUs, not read`, for each maker."""
    return [
        f"{count:.0f} {maker} GPU{'s' * (count > 1)}, not read" for maker, count in answer.other_gpus.items()
    ]


def _gpu_use(answer: Snapshot, told: Collection[str]) -> list[str]:
    gpus, working = answer.gpus or (), working_gpus(answer)
    parts = [f"GPU {gpu.index} has no MIG instances" for gpu in working if gpu.instances == ()]
    whole_or_divided = [gpu for gpu in working if gpu.instances != ()]
    if not working:
        parts.append("no working GPU")
    elif whole_or_divided and all(is_full(gpu) for gpu in whole_or_divided):
        parts.append("GPU memory full")
    else:
        whole = [gpu for gpu in working if gpu.instances is None]
        if whole:
            parts.append(_free_gpus(whole, len(gpus)))
        instances = [part for gpu in working for part in gpu.instances or ()]
        free = sum(len(free_instances(gpu)) for gpu in working)
        if instances:
            parts.append(f"{free} of {len(instances)} MIG instances free")
    for gpu in gpus:
        if gpu.throttle_reasons:
            what = f"GPU {gpu.index} slowed by {gpu.throttle_reasons[0]}"
            parts += [what] * (what not in told)
    parts += [
        f"GPU {gpu.index} answers slowly, read {duration(gpu.age_seconds)} ago"
        for gpu in gpus
        if gpu.age_seconds is not None and gpu.age_seconds >= _SLOW_SECONDS
    ]
    return parts


def _free_gpus(whole: Sequence[GpuReading], count: int) -> str:
    """`whole`: those that work and are not divided, of `count` GPUs."""
    free = [gpu for gpu in whole if is_free(gpu)]
    if not free:
        return _none_free(whole, count)
    sizes = sorted({_total_gib(gpu) for gpu in whole}, reverse=True)
    size = ""
    if len(sizes) > 1:
        counts = {gib: sum(_total_gib(gpu) == gib for gpu in free) for gib in sizes}
        each = [f"{number} of {gib} GiB" for gib, number in counts.items() if number]
        size = f" ({', '.join(each)})" if len(each) > 1 else f" ({each[0].split(' of ')[1]})"
    if len(free) < count:
        return f"{len(free)} of {count} GPUs free{size}"
    return {1: "GPU free", 2: "both GPUs free"}.get(count, f"all {count} GPUs free") + size


def _none_free(whole: Sequence[GpuReading], count: int) -> str:
    """`no GPU free; GPU 3, in use, has 40 GiB of memory left`: the most that a job beside others' could get."""
    resting = [gpu.index for gpu in whole if is_unused(gpu)]
    if resting and count == 1:
        return "GPU was in use a moment ago"
    if resting:
        return (
            f"no GPU free; GPU{'s' * (len(resting) > 1)} {listed([*map(str, resting)])} in use a moment ago"
        )
    left, index = max((_memory_free_gib(gpu), -gpu.index) for gpu in whole)
    if not left:
        return "no GPU known to be free"
    if count == 1:
        return f"GPU in use, {left:.0f} GiB of its memory left"
    return f"no GPU free; GPU {-index}, in use, has {left:.0f} GiB of memory left"


def _total_gib(gpu: GpuReading) -> int:
    return round((gpu.memory_total_mib or 0) / _MIB_PER_GIB)


def _host_use(host: HostReading) -> list[str]:
    parts = ["CPU use unknown" if host.cpu_percent is None else f"CPU {host.cpu_percent:.0f} %"]
    if host.memory_available_mib is not None:
        parts.append(f"{host.memory_available_mib / _MIB_PER_GIB:.0f} GiB of memory free")
    return parts


def held(
    answer: Snapshot, idle: Mapping[str, Held], unowned_since: Mapping[int, datetime], at: datetime
) -> list[str]:
    """`12 GiB held by park, idle for 2 h`, for each GPU; or that no process holds its memory."""
    parts = []
    sees_own_container = answer.host is not None and OWN_CONTAINER in answer.host.hidden
    for gpu in answer.gpus or ():
        where = f" on GPU {gpu.index}" if len(answer.gpus or ()) > 1 else ""
        if gpu.index in unowned_since:
            if at - unowned_since[gpu.index] >= _UNOWNED:
                whose = "processes that cannot be seen" if sees_own_container else "no process"
                parts.append(f"{held_gib(gpu)} GiB of GPU {gpu.index} held by {whose}")
            continue
        users, span = holders(gpu, idle, at)
        if users and span >= HELD_IDLE:
            parts.append(f"{held_gib(gpu)} GiB held{where} by {listed(users)}, idle for {duration(span)}")
    return parts


def holders(gpu: GpuReading, idle: Mapping[str, Held], at: datetime) -> tuple[list[str], timedelta]:
    """Who holds a GPU that is idle, and for how long it has been; nobody where it is not both."""
    known = idle.get(gpu_key(gpu))
    if known is None or not is_idle_but_held(gpu):
        return [], timedelta()
    return sorted({process.user for process in computing(gpu) if process.user}), at - known.since


def held_gib(gpu: GpuReading) -> str:
    """How many GiB of a GPU are held by anything that computes."""
    gib = (held_mib(gpu) or 0) / _MIB_PER_GIB
    return f"{gib:.1f}" if gib < 2 else f"{gib:.0f}"


def reboot(answer: Snapshot, at: datetime) -> list[str]:
    booted = answer.host.booted_at if answer.host else None
    if booted is None or not timedelta() <= at - booted < _JUST_BOOTED:
        return []
    return [f"rebooted {duration(at - booted)} ago"]


def advice(answer: Snapshot | None) -> tuple[str, ...]:
    """What an administrator could change, so that more is known of the server."""
    host = answer.host if answer else None
    if host is None or host.boot_id is None or signs_of.has_pressure(host):
        return ()
    return (NO_PRESSURE,)


NO_PRESSURE = (
    "Its kernel does not account for pressure, so that an overload is seen late: add psi=1 to the kernel's "
    "command line, then restart it."
)


def maintenance(reason: str, by: str, until: datetime | None, at: datetime) -> str:
    """`new disks (kim, until 18:00)`."""
    return f"{reason} ({by}{f', until {clock(until, at)}' if until else ''})"


def _memory_free_gib(gpu: GpuReading) -> float:
    """0 where it is unknown."""
    if gpu.memory_total_mib is None or gpu.memory_used_mib is None:
        return 0
    return max(0.0, gpu.memory_total_mib - gpu.memory_used_mib) / _MIB_PER_GIB
