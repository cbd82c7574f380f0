"""What Sheetrack remembers, in one SQLite file: readings, jobs, sweeps, results, and what is still to be published."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Row
from backend.errors import ConflictError, NotFoundError
from backend.job import Job, JobState, Progress, Result, RunResult
from backend.snapshot import Snapshot, now
from backend.sweep import Sweep
from models.recipe import Recipe


class _Snapshot(Row):
    __tablename__ = "snapshots"
    id: Mapped[int] = mapped_column(primary_key=True)
    server: Mapped[str]
    at: Mapped[datetime]
    content: Mapped[str]


class _Job(Row):
    __tablename__ = "jobs"
    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str]
    key: Mapped[str | None]
    server: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str]
    recipe: Mapped[str]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    handle: Mapped[str | None]
    progress: Mapped[str]
    sweep: Mapped[str | None]


class _Sweep(Row):
    __tablename__ = "sweeps"
    id: Mapped[str] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime]
    content: Mapped[str]


class _Result(Row):
    __tablename__ = "results"
    run: Mapped[str] = mapped_column(primary_key=True)
    server: Mapped[str]
    asked_by: Mapped[str]
    finished_at: Mapped[datetime]
    content: Mapped[str]


class _Outgoing(Row):
    __tablename__ = "outbox"
    tab: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[str | None]
    version: Mapped[str]
    put_at: Mapped[datetime]


class Outgoing(BaseModel):
    """A tab that the sheet does not show yet: its table as JSON, None where the tab shall go."""

    model_config = ConfigDict(frozen=True)

    tab: str
    content: str | None
    version: str


class Store:
    """The rows behind the nouns. Safe to use from several threads and processes."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._reading = database.execution_options(reading=True)

    # Readings

    def remember(self, snapshots: Sequence[Snapshot]) -> None:
        rows = [{"server": s.server, "at": s.at, "content": s.model_dump_json()} for s in snapshots]
        if rows:
            with self._database.begin() as connection:
                connection.execute(sa.insert(_Snapshot), rows)

    def recent_snapshots(self, server: str, since: datetime, until: datetime | None = None) -> list[Snapshot]:
        """The server's snapshots from `since` on, and before `until`, oldest first."""
        query = (
            sa.select(_Snapshot.content)
            .where(_Snapshot.server == server, _Snapshot.at >= since)
            .order_by(_Snapshot.at)
        )
        if until is not None:
            query = query.where(_Snapshot.at < until)
        with self._reading.connect() as connection:
            return [Snapshot.model_validate_json(content) for content in connection.scalars(query)]

    def first_snapshot_at(self, server: str, since: datetime | None) -> datetime | None:
        """When the server's oldest snapshot from `since` on was taken; None: there is none."""
        query = sa.select(sa.func.min(_Snapshot.at)).where(_Snapshot.server == server)
        if since is not None:
            query = query.where(_Snapshot.at >= since)
        with self._reading.connect() as connection:
            return connection.scalar(query)

    def forget_snapshots_before(self, moment: datetime) -> int:
        """Deletes old readings; returns how many."""
        with self._database.begin() as connection:
            return connection.execute(sa.delete(_Snapshot).where(_Snapshot.at < moment)).rowcount

    # Jobs

    def add_job(self, job: Job, key: str | None = None) -> Job:
        """Stores `job`; where a job with the same idempotency `key` exists, returns that one instead."""
        values = {
            **job.model_dump(exclude={"recipe", "progress"}),
            "recipe": job.recipe.model_dump_json(),
            "progress": job.progress.model_dump_json(),
            "key": key,
        }
        with self._database.begin() as connection:
            done = connection.execute(insert(_Job).values(values).on_conflict_do_nothing(["key"]))
            if not done.rowcount:
                return _job(connection.execute(sa.select(_Job).where(_Job.key == key)).one())
        return job

    def job(self, job_id: str) -> Job:
        """Raises: NotFoundError: there is no such job."""
        with self._reading.connect() as connection:
            row = connection.execute(sa.select(_Job).where(_Job.id == job_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"There is no job {job_id}.", "`sheetrack jobs` lists them.")
        return _job(row)

    def unfinished_jobs(self) -> list[Job]:
        """In the order in which they were asked for."""
        over = [state.value for state in JobState if state.is_over]
        query = sa.select(_Job).where(_Job.state.not_in(over)).order_by(_Job.number)
        with self._reading.connect() as connection:
            return [_job(row) for row in connection.execute(query)]

    def finished_jobs(self, limit: int) -> list[Job]:
        """The newest first."""
        over = [state.value for state in JobState if state.is_over]
        query = sa.select(_Job).where(_Job.state.in_(over)).order_by(_Job.ended_at.desc()).limit(limit)
        with self._reading.connect() as connection:
            return [_job(row) for row in connection.execute(query)]

    def count_jobs(self) -> dict[JobState, int]:
        """All that were ever asked for, by state."""
        query = sa.select(_Job.state, sa.func.count()).group_by(_Job.state)
        with self._reading.connect() as connection:
            return {JobState(state): count for state, count in connection.execute(query)}

    def change_job(self, job: Job, **changes: Any) -> Job:
        """Writes `changes` if the job is still in the state that `job` says.

        Raises:
            ConflictError: somebody else, such as a person who cancelled it, was quicker.
        """
        changed = job.model_copy(update=changes)
        values = {name: getattr(changed, name) for name in changes}
        if "progress" in values:
            values["progress"] = changed.progress.model_dump_json()
        query = sa.update(_Job).where(_Job.id == job.id, _Job.state == job.state).values(values)
        with self._database.begin() as connection:
            if not connection.execute(query).rowcount:
                raise ConflictError(f"Job {job.id} changed in the meantime.", "Look at it again.")
        return changed

    def jobs_of(self, sweep_id: str) -> list[Job]:
        """Those of a sweep, in the order in which they were asked for."""
        query = sa.select(_Job).where(_Job.sweep == sweep_id).order_by(_Job.number)
        with self._reading.connect() as connection:
            return [_job(row) for row in connection.execute(query)]

    # Sweeps

    def add_sweep(self, sweep: Sweep) -> Sweep:
        """Stores `sweep`; where it is stored already, its grid grows by the one of `sweep`."""
        with self._database.begin() as connection:
            query = sa.select(_Sweep.content).where(_Sweep.id == sweep.id)
            if content := connection.scalars(query).one_or_none():
                known = Sweep.model_validate_json(content)
                sweep = known.model_copy(update={"grid": known.grid | sweep.grid})
            _write_sweep(connection, sweep)
        return sweep

    def pause_sweep(self, sweep_id: str, by: str | None) -> Sweep:
        """Notes who paused the sweep, None for nobody. Raises: NotFoundError: there is no such sweep."""
        with self._database.begin() as connection:
            query = sa.select(_Sweep.content).where(_Sweep.id == sweep_id)
            content = connection.scalars(query).one_or_none()
            if content is None:
                raise NotFoundError(f"There is no sweep {sweep_id}.", "`sheetrack sweep` lists them.")
            sweep = Sweep.model_validate_json(content).model_copy(update={"paused_by": by})
            _write_sweep(connection, sweep)
        return sweep

    def sweeps(self) -> list[Sweep]:
        """The newest first."""
        query = sa.select(_Sweep.content).order_by(_Sweep.asked_at.desc(), _Sweep.id)
        with self._reading.connect() as connection:
            return [Sweep.model_validate_json(content) for content in connection.scalars(query)]

    # Results

    def add_result(self, result: Result) -> bool:
        """Stores a result once; returns whether it was new."""
        values = {**result.model_dump(exclude={"content"}), "content": result.content.model_dump_json()}
        with self._database.begin() as connection:
            return bool(connection.execute(insert(_Result).values(values).on_conflict_do_nothing()).rowcount)

    def results(self, limit: int | None = None) -> list[Result]:
        """The newest first."""
        query = sa.select(_Result).order_by(_Result.finished_at.desc(), _Result.run).limit(limit)
        with self._reading.connect() as connection:
            return [_result(row) for row in connection.execute(query)]

    def result_ids(self) -> set[str]:
        with self._reading.connect() as connection:
            return set(connection.scalars(sa.select(_Result.run)))

    # Outbox

    def put_outgoing(self, contents: dict[str, str | None]) -> None:
        """Notes what tabs shall show; the newest state of a tab replaces an older one."""
        at = now()
        with self._database.begin() as connection:
            for tab, content in contents.items():
                row = {"tab": tab, "content": content, "version": secrets.token_hex(8), "put_at": at}
                connection.execute(insert(_Outgoing).values(row).on_conflict_do_update(["tab"], set_=row))

    def outgoing(self) -> list[Outgoing]:
        """What is not published yet, in the order in which it was put."""
        query = sa.select(_Outgoing).order_by(_Outgoing.put_at, _Outgoing.tab)
        with self._reading.connect() as connection:
            return [
                Outgoing(tab=row.tab, content=row.content, version=row.version)
                for row in connection.execute(query)
            ]

    def sent(self, published: Sequence[Outgoing]) -> None:
        """Strikes out what was published, unless a newer state was put meanwhile."""
        with self._database.begin() as connection:
            for item in published:
                connection.execute(
                    sa.delete(_Outgoing).where(_Outgoing.tab == item.tab, _Outgoing.version == item.version)
                )


def _write_sweep(connection: sa.Connection, sweep: Sweep) -> None:
    row = {"id": sweep.id, "asked_at": sweep.asked_at, "content": sweep.model_dump_json()}
    connection.execute(insert(_Sweep).values(row).on_conflict_do_update(["id"], set_=row))


def _job(row: Any) -> Job:
    return Job(
        id=row.id,
        server=row.server,
        recipe=Recipe.model_validate_json(row.recipe),
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        state=JobState(row.state),
        reason=row.reason,
        handle=row.handle,
        started_at=row.started_at,
        ended_at=row.ended_at,
        progress=Progress.model_validate_json(row.progress),
        sweep=row.sweep,
    )


def _result(row: Any) -> Result:
    return Result(
        run=row.run,
        server=row.server,
        asked_by=row.asked_by,
        finished_at=row.finished_at,
        content=RunResult.model_validate_json(row.content),
    )
