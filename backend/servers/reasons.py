"""The reason of a verdict in words, short enough for a cell.

Durations are given where they matter ("for 2 min"), otherwise times of day in the time zone of `at`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from backend.probe.snapshot import GpuReading, HostReading, Snapshot
from backend.servers.use import (
    BUSY_CPU_PERCENT,
    FULL_MEMORY,
    free_instances,
    is_free,
    is_full,
    working_gpus,
)
from backend.text import listed
from backend.times import clock, duration

_JUST_BOOTED = timedelta(minutes=10)
_SLOW_SECONDS = 15
_MIB_PER_GIB = 1024


def overload(host: HostReading | None, signs: Mapping[str, datetime], at: datetime) -> list[str]:
    """Each sign of overload with its value and its duration, such as `disk pressure 31 % for 3 min`."""
    host = host or HostReading()
    pressure = host.pressure
    load = (host.load_1min or 0) / (host.cpu_count or 1)
    now = {
        "memory pressure": f"memory pressure {pressure.memory_full_percent or 0:.0f} %",
        "disk pressure": f"disk pressure {pressure.io_full_percent or 0:.0f} %",
        "CPU pressure": f"CPU pressure {pressure.cpu_some_percent or 0:.0f} %, load {load:.1f} per core",
        "load": f"load {load:.1f} per core",
        "memory": f"{1 - (host.memory_used_fraction or 0):.0%} of memory left".replace("%", " %"),
    }
    return [f"{now[sign]} for {duration(at - since)}" for sign, since in signs.items()]


def use(answer: Snapshot, fault_since: datetime | None, at: datetime) -> list[str]:
    """What is free, what does not work, and what is unknown."""
    host, parts = answer.host or HostReading(), []
    if answer.gpu_fault:
        parts.append(f"{answer.gpu_fault} for {duration(at - (fault_since or answer.at))}")
    elif answer.gpus is None:
        parts.append("GPUs not read yet")
    parts += [f"GPU {gpu.index} {_fault(gpu)}" for gpu in answer.gpus or () if gpu.fault]
    parts += [
        f"{what} not answering for {duration(timedelta(seconds=seconds))}"
        for what, seconds in host.not_answering.items()
    ]
    parts += other_gpus(answer)
    if (host.memory_used_fraction or 0) >= FULL_MEMORY:
        parts.append(f"{100 * (host.memory_used_fraction or 0):.0f} % of memory in use")
    if answer.gpus:
        parts += _gpu_use(answer)
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


def _fault(gpu: GpuReading) -> str:
    silent = "" if gpu.fault_seconds is None else f" for {duration(timedelta(seconds=gpu.fault_seconds))}"
    return f"{gpu.fault}{silent}"


def _gpu_use(answer: Snapshot) -> list[str]:
    gpus, working = answer.gpus or (), working_gpus(answer)
    parts = []
    if not working:
        parts.append("no working GPU")
    elif all(is_full(gpu) for gpu in working):
        parts.append("GPU memory full")
    else:
        whole = [gpu for gpu in working if gpu.instances is None]
        if whole:
            parts.append(_free_gpus(whole, len(gpus)))
        instances = [part for gpu in working for part in gpu.instances or ()]
        free = sum(len(free_instances(gpu)) for gpu in working)
        if len(whole) < len(working):
            parts.append(f"{free} of {len(instances)} MIG instances free")
    parts += [f"GPU {gpu.index} slowed by {gpu.throttle_reasons[0]}" for gpu in gpus if gpu.throttle_reasons]
    parts += [
        f"GPU {gpu.index} answers slowly, read {duration(timedelta(seconds=gpu.age_seconds))} ago"
        for gpu in gpus
        if gpu.age_seconds is not None and gpu.age_seconds >= _SLOW_SECONDS
    ]
    return parts


def _free_gpus(whole: Sequence[GpuReading], count: int) -> str:
    """`whole`: those that work and are not divided, of `count` GPUs."""
    free = [gpu for gpu in whole if is_free(gpu)]
    if not free:
        left = max((_memory_free_gib(gpu), -gpu.index) for gpu in whole)
        where = f" on GPU {-left[1]}" if count > 1 else ""
        return f"no GPU free, {left[0]:.0f} GiB left{where}" if left[0] else "no GPU known to be free"
    if len(free) < count:
        return f"{len(free)} of {count} GPUs free"
    return {1: "GPU free", 2: "both GPUs free"}.get(count, f"all {count} GPUs free")


def _host_use(host: HostReading) -> list[str]:
    parts = ["CPU use unknown" if host.cpu_percent is None else f"CPU {host.cpu_percent:.0f} %"]
    if host.memory_available_mib is not None:
        parts.append(f"{host.memory_available_mib / _MIB_PER_GIB:.0f} GiB of memory free")
    return parts


def held_idle(answer: Snapshot, since: Mapping[int, datetime], at: datetime) -> list[str]:
    """`12 GiB held by park, idle for 40 min`, for each GPU in `since`."""
    parts = []
    for gpu in answer.gpus or ():
        if gpu.index not in since:
            continue
        users = sorted({process.user for process in gpu.processes or () if process.user})
        where = f" on GPU {gpu.index}" if len(answer.gpus or ()) > 1 else ""
        by = f" by {listed(users)}" if users else ""
        held = f"{(gpu.memory_used_mib or 0) / _MIB_PER_GIB:.0f} GiB held{where}"
        parts.append(f"{held}{by}, idle for {duration(at - since[gpu.index])}")
    return parts


def reboot(answer: Snapshot, at: datetime) -> list[str]:
    booted = answer.host.booted_at if answer.host else None
    if booted is None or not timedelta() <= at - booted < _JUST_BOOTED:
        return []
    return [f"rebooted {duration(at - booted)} ago"]


def maintenance(reason: str, by: str, until: datetime | None, at: datetime) -> str:
    """`new disks (kim, until 18:00)`."""
    return f"{reason} ({by}{f', until {clock(until, at)}' if until else ''})"


def _memory_free_gib(gpu: GpuReading) -> float:
    """0 where it is unknown."""
    if gpu.memory_total_mib is None or gpu.memory_used_mib is None:
        return 0
    return max(0.0, gpu.memory_total_mib - gpu.memory_used_mib) / _MIB_PER_GIB
