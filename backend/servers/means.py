"""Means over time, and the GPU time that each person used and reserved. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from pydantic import AwareDatetime, BaseModel, ConfigDict

from backend.probe.snapshot import HostReading, Snapshot
from backend.servers.gpu_means import spans
from backend.servers.reservation import Reservation
from backend.servers.use import computing, gpu_key, use_percent
from backend.times import HOUR, floor

_FIELDS = ("cpu_percent", "memory_used_percent", "gpu_percent", "gpu_memory_percent")


class Point(BaseModel):
    """A server at one moment, or its means from then on. None: unknown, or the server has no such part."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    cpu_percent: float | None = None
    memory_used_percent: float | None = None
    gpu_percent: float | None = None
    """Mean of the GPUs' use."""
    gpu_memory_percent: float | None = None
    """Memory in use, of the memory of all GPUs together."""


def point(snapshot: Snapshot) -> Point:
    host, gpus = snapshot.host or HostReading(), snapshot.gpus or ()
    memory = [
        (gpu.memory_used_mib, gpu.memory_total_mib)
        for gpu in gpus
        if gpu.memory_used_mib is not None and gpu.memory_total_mib
    ]
    held, there = sum(used for used, _ in memory), sum(total for _, total in memory)
    used = host.memory_used_fraction
    return Point(
        at=snapshot.at,
        cpu_percent=host.cpu_percent,
        memory_used_percent=None if used is None else round(100 * used, 2),
        gpu_percent=use_percent(snapshot) if gpus else None,
        gpu_memory_percent=round(min(100.0, 100 * held / there), 2) if there else None,
    )


def means(points: Iterable[Point], step: timedelta) -> list[Point]:
    """One point for each step with readings, at its beginning. Unknown values do not count.

    Args:
        points: oldest first.
        step: the time that becomes one point.
    """
    return [_mean(at, list(some)) for at, some in groupby(points, lambda point: floor(point.at, step))]


def _mean(at: datetime, points: Sequence[Point]) -> Point:
    known = {
        field: [value for point in points if (value := getattr(point, field)) is not None]
        for field in _FIELDS
    }
    return Point(
        at=at,
        **{field: round(sum(values) / len(values), 2) for field, values in known.items() if values},
    )


def gpu_seconds(
    snapshots: Sequence[Snapshot],
    until: datetime,
    interval_seconds: float,
    counts: Callable[[datetime, str], bool] = lambda _, __: True,
) -> dict[tuple[datetime, str], float]:
    """How long each person had GPUs, in seconds, by the hour and the person's login.

    A person has a GPU while a process of theirs that computes is on it, working or not, from one answer of
    the server to the next. Several people on one GPU share that time equally. Where the next answer comes so
    late that the first no longer holds (`stale_after`), nothing is known and nothing counts. A person with two
    GPUs for an hour has two GPU-hours.

    Args:
        snapshots: of one server, oldest first.
        until: the end of the time that counts; a later answer only ends the time of the one before it.
        interval_seconds: how often the server is read.
        counts: whether the time of a GPU, named by UUID or index, counts at a moment.
    """
    seconds = defaultdict[tuple[datetime, str], float](float)
    for answer, end in spans(snapshots, until, interval_seconds):
        for gpu in answer.gpus or ():
            people = {process.user for process in computing(gpu) if process.user}
            if people and counts(answer.at, gpu_key(gpu)):
                for person in people:
                    seconds[floor(answer.at, HOUR), person] += (end - answer.at).total_seconds() / len(people)
    return dict(seconds)


def reserved_seconds(
    snapshots: Sequence[Snapshot],
    until: datetime,
    interval_seconds: float,
    reservations: Sequence[Reservation],
) -> dict[tuple[datetime, str], float]:
    """How long each person had GPUs reserved, in seconds, by the hour and the person's name in the tab.

    It counts as use does (`gpu_seconds`): only the time in which the server was read, and several people who
    reserved one GPU share its time equally.

    Args:
        snapshots: of one server, oldest first.
        until: the end of the time that counts.
        interval_seconds: how often the server is read.
        reservations: of this server.
    """
    seconds = defaultdict[tuple[datetime, str], float](float)
    for answer, end in spans(snapshots, until, interval_seconds):
        current = [one for one in reservations if one.covers(answer.at)]
        for gpu in (answer.gpus or ()) if current else ():
            people = {one.person for one in current if one.gpus is None or gpu.index in one.gpus}
            for person in people:
                seconds[floor(answer.at, HOUR), person] += (end - answer.at).total_seconds() / len(people)
    return dict(seconds)
