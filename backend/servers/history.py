"""The history of servers: five-minute means for a year, and the GPU-hours that each person used and reserved."""

import threading
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from itertools import groupby

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlalchemy.dialects.sqlite import insert

from backend.database import Moment
from backend.servers.gpu_history import KEPT as GPU_MEANS_KEPT
from backend.servers.gpu_history import GpuHistory
from backend.servers.gpu_means import gpu_hours, gpu_means
from backend.servers.means import Point, gpu_seconds, means, point, reserved_seconds
from backend.servers.past import stale_after
from backend.servers.readings import Readings
from backend.servers.reservation import Reservation
from backend.servers.week import WEEK, Week, week_of
from backend.times import HOUR, floor, now

STEP = timedelta(minutes=5)
KEPT = timedelta(days=366)
MOST_POINTS = 300
_READINGS_UP_TO = timedelta(hours=3)  # a longer time is drawn from means
_AT_ONCE = timedelta(hours=6)  # readings of one server that are in memory together
_STEP_MS = 300_000
_WEEK_MS = 7 * 86_400_000
_FIRST_MONDAY_MS = 4 * 86_400_000  # 1970-01-05

_MEANS = sa.table(
    "means",
    sa.column("server", sa.Text),
    sa.column("at", Moment),
    sa.column("cpu_percent", sa.Float),
    sa.column("memory_used_percent", sa.Float),
    sa.column("gpu_percent", sa.Float),
    sa.column("gpu_memory_percent", sa.Float),
)

_GPU_TIME = sa.table(
    "gpu_time",
    sa.column("hour", Moment),
    sa.column("server", sa.Text),
    sa.column("person", sa.Text),
    sa.column("seconds", sa.Float),
    sa.column("idle_seconds", sa.Float),
)

_RESERVED_TIME = sa.table(
    "reserved_time",
    sa.column("hour", Moment),
    sa.column("server", sa.Text),
    sa.column("person", sa.Text),
    sa.column("seconds", sa.Float),
)


class Usage(BaseModel):
    model_config = ConfigDict(frozen=True)

    person: str
    gpu_hours: float
    idle_gpu_hours: float = 0
    """Of these, the time in which nothing ran."""


class History:
    """Means and GPU-hours. Safe to use from several threads; only the serving backend writes."""

    def __init__(
        self,
        database: sa.Engine,
        readings: Readings,
        servers: Collection[str],
        interval_seconds: float,
        reserved: Callable[[str], Sequence[Reservation]] = lambda _: (),
    ) -> None:
        """`reserved` gives the reservations of a server, as far as they are known."""
        self._reserved = reserved
        self._database = database
        self._reading = database.execution_options(reading=True)
        self._readings = readings
        self._servers = servers
        self._interval_seconds = interval_seconds
        self._summarizing = threading.Lock()
        self.gpus = GpuHistory(database)

    def summarize(self, at: datetime) -> None:
        """Brings means and GPU time up to date; each reading counts once, however often this is called."""
        # A GPU counts as used until the next reading, so that one is waited for.
        ready = floor(at - stale_after(self._interval_seconds), STEP)
        with self._summarizing:
            for server in self._servers:
                begin = self._begin(server)
                while begin is not None and begin < ready:
                    end = min(begin + _AT_ONCE, ready)
                    self._summarize(server, begin, end)
                    begin = self._first_step(server, end)

    def _begin(self, server: str) -> datetime | None:
        """The beginning of the first step that has readings and no mean, None without such a step."""
        newest = sa.select(sa.func.max(_MEANS.c.at)).where(_MEANS.c.server == server)
        with self._reading.connect() as connection:
            done = connection.scalar(newest)
        return self._first_step(server, done + STEP if done else None)

    def _first_step(self, server: str, since: datetime | None) -> datetime | None:
        first = self._readings.first_at(server, since)
        return floor(first, STEP) if first else None

    def _summarize(self, server: str, begin: datetime, end: datetime) -> None:
        snapshots = self._readings.between(server, begin, end + stale_after(self._interval_seconds))
        within = [snapshot for snapshot in snapshots if snapshot.at < end]
        points = means((point(snapshot) for snapshot in within), STEP)
        gpus = {
            at: gpu_means(some) for at, some in groupby(within, lambda snapshot: floor(snapshot.at, STEP))
        }
        idle = {(at, mean.gpu) for at, some in gpus.items() for mean in some if mean.is_idle}
        seconds = gpu_seconds(snapshots, end, self._interval_seconds)
        idle_seconds = gpu_seconds(
            snapshots, end, self._interval_seconds, lambda at, gpu: (floor(at, STEP), gpu) in idle
        )
        added = insert(_GPU_TIME)
        sums = {
            "seconds": _GPU_TIME.c.seconds + added.excluded.seconds,
            "idle_seconds": _GPU_TIME.c.idle_seconds + added.excluded.idle_seconds,
        }
        with self._database.begin() as connection:
            if points:
                means_of = [{"server": server, **mean.model_dump()} for mean in points]
                connection.execute(sa.insert(_MEANS), means_of)
            if seconds:
                rows = [
                    {
                        "server": server,
                        "hour": hour,
                        "person": person,
                        "seconds": value,
                        "idle_seconds": idle_seconds.get((hour, person), 0.0),
                    }
                    for (hour, person), value in seconds.items()
                ]
                connection.execute(added.on_conflict_do_update(["hour", "server", "person"], set_=sums), rows)
            reserved = reserved_seconds(snapshots, end, self._interval_seconds, self._reserved(server))
            if reserved:
                row = insert(_RESERVED_TIME)
                both = {"seconds": _RESERVED_TIME.c.seconds + row.excluded.seconds}
                connection.execute(
                    row.on_conflict_do_update(["hour", "server", "person"], set_=both),
                    [
                        {"server": server, "hour": hour, "person": person, "seconds": value}
                        for (hour, person), value in reserved.items()
                    ],
                )
            hours = gpu_hours(snapshots, end, self._interval_seconds)
            self.gpus.add(connection, server, gpus, hours, STEP)

    def forget_before(self, moment: datetime) -> None:
        with self._database.begin() as connection:
            connection.execute(sa.delete(_MEANS).where(_MEANS.c.at < moment))
            connection.execute(sa.delete(_GPU_TIME).where(_GPU_TIME.c.hour < moment))
            connection.execute(sa.delete(_RESERVED_TIME).where(_RESERVED_TIME.c.hour < moment))
        self.gpus.forget_before(max(moment, now() - GPU_MEANS_KEPT), moment)

    def points(self, server: str, since: datetime, until: datetime) -> list[Point]:
        """About `MOST_POINTS` at most, oldest first: readings for a short time, means for a long one."""
        step = (until - since) / MOST_POINTS
        if until - since <= _READINGS_UP_TO:
            snapshots = self._readings.between(server, since, until)
            if snapshots:
                points = [point(snapshot) for snapshot in snapshots]
                return points if len(points) <= MOST_POINTS else means(points, step)
        step_ms = max(1, -(-step // STEP)) * _STEP_MS
        at = sa.type_coerce(_MEANS.c.at, sa.Integer)
        begin = (at - at % step_ms).label("begin")
        columns = [
            sa.func.round(sa.func.avg(column), 2).label(column.key)
            for column in (
                _MEANS.c.cpu_percent, _MEANS.c.memory_used_percent, _MEANS.c.gpu_percent, _MEANS.c.gpu_memory_percent
            )
        ]  # fmt: skip
        query = (
            sa.select(sa.type_coerce(begin, Moment).label("at"), *columns)
            .where(_MEANS.c.server == server, _MEANS.c.at >= since, _MEANS.c.at < until)
            .group_by(begin)
            .order_by(begin)
        )
        with self._reading.connect() as connection:
            return [Point(**row) for row in connection.execute(query).mappings()]

    def usage(self, server: str, since: datetime, until: datetime) -> list[Usage]:
        """GPU-hours of each person on the server, from the hour of `since` to `until`, most first."""
        seconds, idle = sa.func.sum(_GPU_TIME.c.seconds), sa.func.sum(_GPU_TIME.c.idle_seconds)
        query = (
            sa.select(_GPU_TIME.c.person, seconds, idle)
            .where(
                _GPU_TIME.c.server == server, _GPU_TIME.c.hour >= floor(since, HOUR), _GPU_TIME.c.hour < until
            )
            .group_by(_GPU_TIME.c.person)
            .order_by(seconds.desc())
        )
        with self._reading.connect() as connection:
            return [
                Usage(person=person, gpu_hours=round(used / 3600, 2), idle_gpu_hours=round(held / 3600, 2))
                for person, used, held in connection.execute(query)
            ]

    def week(self, since: datetime) -> Week:
        """The GPUs of all servers in the week that begins at `since`."""
        uses = sa.select(
            _GPU_TIME.c.server, _GPU_TIME.c.person, _GPU_TIME.c.seconds, _GPU_TIME.c.idle_seconds
        ).where(_GPU_TIME.c.hour >= since, _GPU_TIME.c.hour < since + WEEK)
        reserved = sa.select(
            _RESERVED_TIME.c.server, _RESERVED_TIME.c.person, _RESERVED_TIME.c.seconds
        ).where(_RESERVED_TIME.c.hour >= since, _RESERVED_TIME.c.hour < since + WEEK)
        with self._reading.connect() as connection:
            return week_of(
                since,
                [(row.server, row.person, row.seconds, row.idle_seconds) for row in connection.execute(uses)],
                [(row.server, row.person, row.seconds) for row in connection.execute(reserved)],
                self.gpus.hours(since, since + WEEK),
            )

    def weekly_usage(self) -> dict[datetime, dict[str, float]]:
        """GPU-hours of each person on all servers, by the Monday of the week (midnight UTC), newest first."""
        hour = sa.type_coerce(_GPU_TIME.c.hour, sa.Integer)
        monday = (hour - (hour - _FIRST_MONDAY_MS) % _WEEK_MS).label("monday")
        query = (
            sa.select(sa.type_coerce(monday, Moment), _GPU_TIME.c.person, sa.func.sum(_GPU_TIME.c.seconds))
            .group_by(monday, _GPU_TIME.c.person)
            .order_by(monday.desc(), _GPU_TIME.c.person)
        )
        weeks: dict[datetime, dict[str, float]] = {}
        with self._reading.connect() as connection:
            for week, person, seconds in connection.execute(query):
                weeks.setdefault(week, {})[person] = seconds / 3600
        return weeks
