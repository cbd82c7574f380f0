"""One Server at one moment, and the limits of its values.

Units are in the names. What is not known is None, never 0. A Snapshot may come from another machine: text is
cut and made safe to show, a number out of its range counts as not known, long lists are shortened.
"""

import heapq
import re
from datetime import datetime
from enum import StrEnum
from functools import lru_cache, partial
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from backend.probe.command_line import short_command
from backend.text import plain_text

_MOST_GPUS = 64
_MOST_INSTANCES = 16
_MOST_GPU_PROCESSES = 256
"""Of all GPUs and their instances together."""
_YEARS = (2000, 2199)
_DISPLAY_SERVERS = frozenset({"Xorg", "X", "Xwayland", "gnome-shell", "kwin_wayland", "kwin_x11"})


def _in_range(low: float, high: float, value: float | None) -> float | None:
    return value if value is not None and low <= value <= high else None  # NaN is in no range


def _number(low: float, high: float) -> AfterValidator:
    return AfterValidator(partial(_in_range, low, high))


def _text(most: int) -> BeforeValidator:
    return BeforeValidator(lambda value: plain_text(value, most) if isinstance(value, str) else value)


def _first(most: int) -> AfterValidator:
    return AfterValidator(lambda values: values and values[:most])


def _amounts(value: object) -> object:
    if not isinstance(value, dict):
        return {}
    known = {
        plain_text(name, 64): amount
        for name, amount in value.items()
        if isinstance(name, str) and isinstance(amount, int | float) and 0 <= amount < 1e9
    }
    return dict(list(known.items())[:8])


def _command(value: object) -> object:
    return _short(value[:10_000]) if isinstance(value, str) else value


@lru_cache(maxsize=1024)
def _short(line: str) -> str | None:
    # An agent of an older release sends whole command lines, and older readings hold them.
    return short_command(line.split()) or None


def _plausible_time(value: datetime | None) -> datetime | None:
    return value if value is not None and _YEARS[0] <= value.year <= _YEARS[1] else None


def _job_id(value: object) -> object:
    return value if isinstance(value, str) and re.fullmatch(r"r[0-9a-f]{6}", value) else None


Percent = Annotated[float | None, _number(0, 100)]
Mib = Annotated[float | None, _number(0, 1e9)]
Gib = Annotated[float | None, _number(0, 1e9)]
Seconds = Annotated[float | None, _number(0, 1e9)]
Amounts = Annotated[dict[str, float], BeforeValidator(_amounts)]
Name = Annotated[str | None, _text(64)]
Words = Annotated[str | None, _text(200)]


Command = Annotated[str | None, BeforeValidator(_command)]
Pid = Annotated[int, Field(ge=0, lt=2**32)]


class _Reading(BaseModel):
    model_config = ConfigDict(frozen=True)


class Pressure(_Reading):
    """Linux pressure stall information: per cent of the last 60 s in which work stood still."""

    cpu_some_percent: Percent = None
    memory_full_percent: Percent = None
    memory_full_10s_percent: Percent = None
    """Of the last 10 s."""
    io_full_percent: Percent = None


class Process(_Reading):
    """One of the processes that use most of a server. 100 `cpu_percent` is one core."""

    pid: Pid
    user: Name = None
    command: Command = None
    cpu_percent: Annotated[float | None, _number(0, 1e7)] = None
    memory_mib: Mib = None


class Disk(_Reading):
    """The file system below a folder, as an ordinary user finds it."""

    path: Annotated[str, _text(64)]
    free_gib: Gib = None
    total_gib: Gib = None
    free_inodes_percent: Percent = None
    read_only: bool | None = None
    """Whether it should take files and does not."""


class HostReading(_Reading):
    cpu_percent: Percent = None
    cpu_count: Annotated[int | None, _number(1, 1e6)] = None
    load_1min: Annotated[float | None, _number(0, 1e6)] = None
    memory_total_mib: Mib = None
    memory_available_mib: Mib = None
    swap_used_mib: Mib = None
    swap_mib_per_second: Mib = None
    """What was written to and read from swap since the reading before."""
    disk_free_gib: Gib = None
    """On the disk of Sheetrack's home."""
    disks: Annotated[tuple[Disk, ...], _first(16)] = ()
    pressure: Pressure = Pressure()
    stuck_processes: Annotated[int | None, _number(0, 1e6)] = None
    """How many wait for a disk, or in a driver, for so long that it does not answer them."""
    booted_at: Annotated[AwareDatetime | None, AfterValidator(_plausible_time)] = None
    boot_id: Name = None
    """Differs after each start of the machine."""
    top: Annotated[tuple[Process, ...], _first(16)] = ()
    not_answering: Amounts = Field(default_factory=dict)
    """What has not answered for too long, such as `disk /home`, and for how many seconds."""
    hidden: Annotated[tuple[Annotated[str, _text(100)], ...], _first(4)] = ()
    """What keeps the reading from seeing every process, in a few words each."""

    @property
    def memory_used_fraction(self) -> float | None:
        if not self.memory_total_mib or self.memory_available_mib is None:
            return None
        return max(0.0, 1 - self.memory_available_mib / self.memory_total_mib)


class GpuProcess(_Reading):
    pid: Pid
    user: Name = None
    command: Command = None
    memory_mib: Mib = None
    job: Annotated[str | None, BeforeValidator(_job_id)] = None
    """The job of ours that started it; None: it is of no job, or that is not known."""
    graphics: bool = False
    """Whether it draws and does not compute."""

    @property
    def is_display(self) -> bool:
        """Whether it only draws. A display server may be listed as computing as well."""
        return self.graphics or self.command in _DISPLAY_SERVERS


class GpuInstance(_Reading):
    """A part of a divided GPU (MIG)."""

    uuid: Name = None
    memory_used_mib: Mib = None
    memory_total_mib: Mib = None
    processes: tuple[GpuProcess, ...] | None = None
    unused_seconds: Seconds = None
    """Since it was last seen in use, 0 while it is; None: it was not seen in use lately."""

    @property
    def memory_used_fraction(self) -> float | None:
        if not self.memory_total_mib or self.memory_used_mib is None:
            return None
        return min(1.0, self.memory_used_mib / self.memory_total_mib)


class GpuReading(GpuInstance):
    """One GPU; `fault` says why it, or a part of it, could not be read."""

    index: Annotated[int, Field(ge=0, lt=1000)]
    name: Name = None
    utilization_percent: Percent = None
    temperature_c: Annotated[float | None, _number(-100, 200)] = None
    power_w: Annotated[float | None, _number(0, 1e5)] = None
    power_limit_w: Annotated[float | None, _number(0, 1e5)] = None
    throttle_reasons: Annotated[tuple[Annotated[str, _text(64)], ...] | None, _first(8)] = None
    ecc_uncorrected: Annotated[int | None, _number(0, 1e12)] = None
    """Memory errors that could not be corrected since the driver started."""
    rows_pending: bool | None = None
    """Whether a broken row of its memory is replaced at its next reset; `rows_failed`: it cannot be."""
    rows_failed: bool | None = None
    xids: Amounts = Field(default_factory=dict)
    """The errors that its driver reported within a day, by Xid, and how many seconds ago."""
    instances: Annotated[tuple[GpuInstance, ...] | None, _first(_MOST_INSTANCES)] = None
    """None: it is not divided."""
    age_seconds: Seconds = None
    """Since its reading began, which a slow GPU answers late."""
    fault: Words = None
    fault_seconds: Seconds = None
    """How long it has not answered, where that is its fault."""


Part = TypeVar("Part", bound=GpuInstance)


def _bounded(gpus: tuple[GpuReading, ...] | None) -> tuple[GpuReading, ...] | None:
    """All GPUs, with at most `_MOST_GPU_PROCESSES` processes.

    Raises:
        ValueError: two GPUs have the same index.
    """
    if not gpus:
        return gpus
    if len({gpu.index for gpu in gpus}) < len(gpus):
        raise ValueError("two GPUs have the same index")
    parts = [part for gpu in gpus for part in (gpu, *(gpu.instances or ()))]
    if sum(len(part.processes or ()) for part in parts) <= _MOST_GPU_PROCESSES:
        return gpus
    most = max(1, _MOST_GPU_PROCESSES // len(parts))
    return tuple(
        _shortened(gpu, most).model_copy(
            update={"instances": gpu.instances and tuple(_shortened(part, most) for part in gpu.instances)}
        )
        for gpu in gpus
    )


def _shortened(part: Part, most: int) -> Part:
    return part.model_copy(update={"processes": _largest(part.processes, most)}) if part.processes else part


def _largest(processes: tuple[GpuProcess, ...], most: int) -> tuple[GpuProcess, ...]:
    """The largest process of each user first, so that no user is missing while there is room."""
    by_size = sorted(processes, key=lambda process: process.memory_mib or 0, reverse=True)
    largest = {process.user: process.pid for process in reversed(by_size)}
    return tuple(heapq.nsmallest(most, by_size, key=lambda process: largest[process.user] != process.pid))


class Failure(StrEnum):
    """Why a server could not be read."""

    UNREACHABLE = "unreachable"  # no answer from the machine
    AGENT_DOWN = "agent_down"  # the machine answers, its agent does not
    REFUSED = "refused"  # the agent does not accept the token
    BROKEN = "broken"  # the agent's answer is not a snapshot
    MONITOR = "monitor"  # no server answers: the fault is probably the monitor's own network


class Snapshot(_Reading):
    """One server at one moment, or why it could not be read. A failed server is data, not an exception."""

    server: str
    at: AwareDatetime
    host: HostReading | None = None
    gpus: Annotated[tuple[GpuReading, ...] | None, Field(max_length=_MOST_GPUS), AfterValidator(_bounded)] = (
        None
    )
    """() without any; None where the driver does not answer (`gpu_fault`), or has not been read yet."""
    other_gpus: Amounts = Field(default_factory=dict)
    """How many GPUs nothing reads, by their maker."""
    gpu_fault: Words = None
    gpu_fault_seconds: Seconds = None
    """How long the driver has not answered, where that is its fault."""
    clock_ahead_seconds: Annotated[float | None, _number(-1e10, 1e10)] = None
    """How far its agent's clock is ahead of the monitor's, where that is over a minute; below 0: behind."""
    failure: Failure | None = None
    failure_text: Words = None

    @property
    def users(self) -> list[str]:
        """Who computes on the GPUs, by name."""
        processes = (process for gpu in self.gpus or () for process in gpu.processes or ())
        return sorted({process.user for process in processes if process.user and not process.is_display})
