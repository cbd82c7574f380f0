"""The stored use of each GPU: five-minute means for two weeks, who holds it idle, in which minutes one was free."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter
from sqlalchemy.dialects.sqlite import insert

from backend.database import Moment
from backend.servers.gpu_means import GpuHour, GpuMean
from backend.servers.packing import packed, unpacked
from backend.servers.state import Held

KEPT = timedelta(days=14)
"""Of the means of each GPU."""
_LOST = timedelta(minutes=30)
"""So long a GPU may be unknown without ending the time for which it is held."""
_MEANS = TypeAdapter(list[GpuMean])

_GPU_MEANS = sa.table(
    "gpu_means",
    sa.column("server", sa.Text),
    sa.column("at", Moment),
    sa.column("content", sa.LargeBinary),
)

_HELD_GPUS = sa.table(
    "held_gpus",
    sa.column("server", sa.Text),
    sa.column("gpu", sa.Text),
    sa.column("since", Moment),
    sa.column("seen_at", Moment),
    sa.column("people", sa.Text),
)

_GPU_HOURS = sa.table(
    "gpu_hours",
    sa.column("hour", Moment),
    sa.column("server", sa.Text),
    sa.column("known_minutes", sa.Integer),
    sa.column("free_minutes", sa.Integer),
    sa.column("gpus", sa.Integer),
)


class GpuPoint(BaseModel):
    """One GPU at one time."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    use_percent: float | None
    memory_used_percent: float | None


class GpuCurve(BaseModel):
    """One GPU over a time."""

    model_config = ConfigDict(frozen=True)

    gpu: str
    index: int
    points: list[GpuPoint]
    """Oldest first."""


class GpuHistory:
    """Safe to use from several threads; only `History` writes, within its own transaction."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._reading = database.execution_options(reading=True)

    def add(
        self,
        connection: sa.Connection,
        server: str,
        means: Mapping[datetime, list[GpuMean]],
        hours: Mapping[datetime, GpuHour],
        step: timedelta,
    ) -> None:
        """Stores means by the beginning of their step, oldest first, and hours that follow the stored ones."""
        rows = [
            {
                "server": server,
                "at": at,
                "content": packed(_MEANS.dump_json(some, exclude_defaults=True).decode()),
            }
            for at, some in means.items()
            if some
        ]
        if rows:
            connection.execute(insert(_GPU_MEANS).on_conflict_do_nothing(), rows)
            self._follow_held(connection, server, means, step)
        if hours:
            added = insert(_GPU_HOURS)
            both = {
                "known_minutes": _GPU_HOURS.c.known_minutes.op("|")(added.excluded.known_minutes),
                "free_minutes": _GPU_HOURS.c.free_minutes.op("|")(added.excluded.free_minutes),
                "gpus": sa.func.max(_GPU_HOURS.c.gpus, added.excluded.gpus),
            }
            connection.execute(
                added.on_conflict_do_update(["hour", "server"], set_=both),
                [{"hour": hour, "server": server, **value.model_dump()} for hour, value in hours.items()],
            )

    def _follow_held(
        self,
        connection: sa.Connection,
        server: str,
        means: Mapping[datetime, list[GpuMean]],
        step: timedelta,
    ) -> None:
        query = sa.select(_HELD_GPUS.c.gpu, _HELD_GPUS.c.since, _HELD_GPUS.c.seen_at, _HELD_GPUS.c.people)
        held = {
            gpu: (since, seen, people)
            for gpu, since, seen, people in connection.execute(query.where(_HELD_GPUS.c.server == server))
        }
        for at, some in means.items():
            for mean in some:
                before, people = held.pop(mean.gpu, None), "\n".join(mean.people)
                if mean.is_idle and people:
                    goes_on = before and before[2] == people and at - before[1] <= _LOST
                    held[mean.gpu] = (before[0] if before and goes_on else at, at + step, people)
        connection.execute(sa.delete(_HELD_GPUS).where(_HELD_GPUS.c.server == server))
        if held:
            connection.execute(
                sa.insert(_HELD_GPUS),
                [
                    {"server": server, "gpu": gpu, "since": since, "seen_at": seen, "people": people}
                    for gpu, (since, seen, people) in held.items()
                ],
            )

    def held(self, at: datetime) -> dict[str, dict[str, Held]]:
        """The GPUs that are held and idle, by server and GPU, as far as that is known at `at`."""
        query = sa.select(_HELD_GPUS).where(_HELD_GPUS.c.seen_at >= at - _LOST)
        found: dict[str, dict[str, Held]] = {}
        with self._reading.connect() as connection:
            for row in connection.execute(query).mappings():
                people = tuple(row["people"].split("\n"))
                found.setdefault(row["server"], {})[row["gpu"]] = Held(since=row["since"], people=people)
        return found

    def curves(self, server: str, since: datetime, until: datetime, most: int) -> list[GpuCurve]:
        """Each GPU of the server over that time, by its index, with at most about `most` points each."""
        query = (
            sa.select(_GPU_MEANS.c.at, _GPU_MEANS.c.content)
            .where(_GPU_MEANS.c.server == server, _GPU_MEANS.c.at >= since, _GPU_MEANS.c.at < until)
            .order_by(_GPU_MEANS.c.at)
        )
        with self._reading.connect() as connection:
            rows = connection.execute(query).all()
        every = max(1, -(-len(rows) // most))
        curves: dict[str, GpuCurve] = {}
        for at, content in rows[::every]:
            for mean in _valid(content):
                curve = curves.setdefault(mean.gpu, GpuCurve(gpu=mean.gpu, index=mean.index, points=[]))
                point = GpuPoint(
                    at=at, use_percent=mean.use_percent, memory_used_percent=mean.memory_used_percent
                )
                curve.points.append(point)
        return sorted(curves.values(), key=lambda curve: (curve.index, curve.gpu))

    def hours(self, since: datetime, until: datetime) -> dict[tuple[datetime, str], GpuHour]:
        """By hour and server."""
        query = sa.select(_GPU_HOURS).where(_GPU_HOURS.c.hour >= since, _GPU_HOURS.c.hour < until)
        with self._reading.connect() as connection:
            return {
                (row["hour"], row["server"]): GpuHour.model_validate(dict(row))
                for row in connection.execute(query).mappings()
            }

    def forget_before(self, means: datetime, hours: datetime) -> None:
        """Deletes means and hours that are older."""
        with self._database.begin() as connection:
            connection.execute(sa.delete(_GPU_MEANS).where(_GPU_MEANS.c.at < means))
        with self._database.begin() as connection:
            connection.execute(sa.delete(_GPU_HOURS).where(_GPU_HOURS.c.hour < hours))


def _valid(content: bytes) -> Iterable[GpuMean]:
    try:
        return _MEANS.validate_json(unpacked(content))
    except ValueError:
        return ()
