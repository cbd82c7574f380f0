"""Jobs, sweeps and results in the database."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Row
from backend.errors import ConflictError, NotFoundError
from backend.jobs.job import Job, JobState, Progress
from backend.jobs.result import Result, RunResult
from backend.jobs.sweep import Sweep
from models.recipe import Recipe


class _Job(Row):
    __tablename__ = "jobs"
    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str]
    key: Mapped[str | None]
    server: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str]
    recipe: Mapped[str]
    requested_by: Mapped[str]
    submitted_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    handle: Mapped[str | None]
    progress: Mapped[str]
    sweep: Mapped[str | None]


class _Sweep(Row):
    __tablename__ = "sweeps"
    id: Mapped[str] = mapped_column(primary_key=True)
    submitted_at: Mapped[datetime]
    content: Mapped[str]


class _Result(Row):
    __tablename__ = "results"
    run: Mapped[str] = mapped_column(primary_key=True)
    server: Mapped[str]
    requested_by: Mapped[str]
    finished_at: Mapped[datetime]
    content: Mapped[str]


class JobStore:
    """Safe to use from several threads and processes."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._reading = database.execution_options(reading=True)

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
        query = sa.select(_Sweep.content).order_by(_Sweep.submitted_at.desc(), _Sweep.id)
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


def _write_sweep(connection: sa.Connection, sweep: Sweep) -> None:
    row = {"id": sweep.id, "submitted_at": sweep.submitted_at, "content": sweep.model_dump_json()}
    connection.execute(insert(_Sweep).values(row).on_conflict_do_update(["id"], set_=row))


def _job(row: Any) -> Job:
    return Job(
        id=row.id,
        server=row.server,
        recipe=Recipe.model_validate_json(row.recipe),
        requested_by=row.requested_by,
        submitted_at=row.submitted_at,
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
        requested_by=row.requested_by,
        finished_at=row.finished_at,
        content=RunResult.model_validate_json(row.content),
    )
