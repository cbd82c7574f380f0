"""The use of each GPU over time. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from pydantic import BaseModel, ConfigDict

from backend.probe.snapshot import GpuReading, Snapshot
from backend.servers.past import stale_after
from backend.servers.use import IDLE_GPU_PERCENT, computing, free_gpus, gpu_key, is_held
from backend.times import HOUR, floor

MINUTE = timedelta(minutes=1)


class GpuMean(BaseModel):
    """One GPU over some minutes. None: unknown."""

    model_config = ConfigDict(frozen=True)

    gpu: str
    """Its UUID or, where the driver does not tell it, its index."""
    index: int
    use_percent: float | None = None
    memory_used_percent: float | None = None
    people: tuple[str, ...] = ()
    """Who computed on it in most of the readings."""
    is_held: bool = False

    @property
    def is_idle(self) -> bool:
        """Whether it was held by people, and nothing ran."""
        return self.is_held and self.use_percent is not None and self.use_percent < IDLE_GPU_PERCENT


def gpu_means(snapshots: Iterable[Snapshot]) -> list[GpuMean]:
    """The mean of each GPU over all `snapshots` that have it."""
    readings: dict[str, list[GpuReading]] = {}
    for snapshot in snapshots:
        for gpu in snapshot.gpus or ():
            readings.setdefault(gpu_key(gpu), []).append(gpu)
    return [_mean(key, some) for key, some in readings.items()]


def _mean(key: str, readings: Sequence[GpuReading]) -> GpuMean:
    people = [{process.user for process in computing(gpu) if process.user} for gpu in readings]
    most = sorted({person for some in people for person in some if _is_most(person in who for who in people)})
    fractions = [gpu.memory_used_fraction for gpu in readings if gpu.memory_used_fraction is not None]
    return GpuMean(
        gpu=key,
        index=readings[-1].index,
        use_percent=_average(
            [gpu.utilization_percent for gpu in readings if gpu.utilization_percent is not None]
        ),
        memory_used_percent=_average([100 * fraction for fraction in fractions]),
        people=tuple(most),
        is_held=_is_most(is_held(gpu) for gpu in readings),
    )


def _average(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 1) if values else None


def _is_most(holds: Iterable[bool]) -> bool:
    known = list(holds)
    return 2 * sum(known) >= len(known) and any(known)


def spans(
    snapshots: Sequence[Snapshot], until: datetime, interval_seconds: float
) -> Iterator[tuple[Snapshot, datetime]]:
    """Each answer before `until`, and the moment of the next one, up to which it holds.

    Where that comes so late that the answer no longer holds (`stale_after`), nothing is known, and the
    answer is left out.
    """
    limit = stale_after(interval_seconds)
    for answer, following in pairwise(snapshot for snapshot in snapshots if not snapshot.failure):
        if answer.at < until and following.at - answer.at <= limit:
            yield answer, following.at


class GpuHour(BaseModel):
    """In which minutes of an hour a server's GPUs were known, and one of them free, as bits: the first is 1."""

    known_minutes: int = 0
    free_minutes: int = 0
    gpus: int = 0


def gpu_hours(
    snapshots: Sequence[Snapshot], until: datetime, interval_seconds: float
) -> dict[datetime, GpuHour]:
    """By the hour. A minute is what its last moment is. Servers without GPUs have no hours.

    Args:
        snapshots: of one server, oldest first.
        until: the end of the time that counts.
        interval_seconds: how often the server is read.
    """
    hours: dict[datetime, GpuHour] = {}
    for answer, end in spans(snapshots, until, interval_seconds):
        if not answer.gpus:
            continue
        is_free = bool(free_gpus(answer.gpus))
        minute = floor(answer.at, MINUTE)
        while minute + MINUTE <= end:
            hour = hours.setdefault(floor(minute, HOUR), GpuHour())
            bit = 1 << int((minute - floor(minute, HOUR)) / MINUTE)
            hour.known_minutes |= bit
            hour.free_minutes |= bit * is_free
            hour.gpus = max(hour.gpus, len(answer.gpus))
            minute += MINUTE
    return hours
