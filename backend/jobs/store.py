"""Jobs, sweeps and results in the database.

A row that cannot be read costs only itself: it is left out, or shown with what is wrong, and logged once.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Row
from backend.errors import ConflictError, NotFoundError
from backend.jobs.job import Job, JobState
from backend.jobs.result import Result
from backend.jobs.sweep import Sweep
from models.recipe import Recipe
from models.result import Progress, RunResult

log = logging.getLogger(__name__)

Content = TypeVar("Content")

UNREADABLE = Recipe(name="The stored recipe cannot be read.", architecture="unknown", data="unknown")
"""Stands for a recipe that cannot be read: the job is shown, and followed where it runs already."""

_OVER = [state.value for state in JobState if state.is_over]
_UNFINISHED = [state.value for state in JobState if not state.is_over]


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
        self._logged: set[str] = set()

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
        """In the order of submission."""
        return self._read(sa.select(_Job).where(_Job.state.in_(_UNFINISHED)).order_by(_Job.number), _job)

    def finished_jobs(self, limit: int) -> list[Job]:
        """The newest first."""
        over = _Job.state.not_in(_UNFINISHED)
        return self._read(
            sa.select(_Job).where(over).order_by(_Job.ended_at.desc(), _Job.number.desc()).limit(limit), _job
        )

    def count_jobs(self) -> dict[JobState, int]:
        """How many jobs are in each state, of all that were ever submitted."""
        query = sa.select(_Job.state, sa.func.count()).group_by(_Job.state)
        counts: dict[JobState, int] = {}
        with self._reading.connect() as connection:
            for stored, count in connection.execute(query):
                state, _ = _state(stored)
                counts[state] = counts.get(state, 0) + count
        return counts

    def change_job(self, job: Job, **changes: Any) -> Job:
        """Writes `changes` if the job is still in the state of `job`.

        Raises:
            ConflictError: its state has changed, for example because a person cancelled it.
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

    def cancel_jobs(self, sweep_id: str, reason: str, at: datetime) -> int:
        """Cancels the jobs of a sweep that wait, and those that hold a server; returns how many they were."""
        held = [state.value for state in JobState if state.holds_server and state is not JobState.CANCELLING]
        theirs = sa.update(_Job).where(_Job.sweep == sweep_id)
        waiting = theirs.where(_Job.state == JobState.QUEUED)
        started = theirs.where(_Job.state.in_(held))
        with self._database.begin() as connection:
            cancelled = connection.execute(
                waiting.values(state=JobState.CANCELLED, reason=reason, ended_at=at)
            )
            cancelling = connection.execute(started.values(state=JobState.CANCELLING, reason=reason))
        return int(cancelled.rowcount + cancelling.rowcount)

    def note_handle(self, job_id: str, handle: str) -> None:
        """Stores how the engine calls a job, whatever its state is by now."""
        with self._database.begin() as connection:
            connection.execute(sa.update(_Job).where(_Job.id == job_id).values(handle=handle))

    def note_reasons(self, reasons: Mapping[str, str]) -> None:
        """Stores why jobs wait, by their ids, where they still wait."""
        if not reasons:
            return
        query = sa.update(_Job).where(
            _Job.id == sa.bindparam("job"), _Job.state == JobState.QUEUED, _Job.reason != sa.bindparam("why")
        )
        values = [{"job": job_id, "why": reason} for job_id, reason in reasons.items()]
        with self._database.begin() as connection:
            connection.execute(query.values(reason=sa.bindparam("why")), values)

    def jobs_of(self, sweep_id: str) -> list[Job]:
        """The jobs of a sweep, in the order of submission."""
        return self._read(sa.select(_Job).where(_Job.sweep == sweep_id).order_by(_Job.number), _job)

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
        return self._read(sa.select(_Sweep).order_by(_Sweep.submitted_at.desc(), _Sweep.id), _sweep)

    # Results

    def add_result(self, result: Result, *, replace: bool = False) -> bool:
        """Stores a result once, or in place of a stored one; returns whether it was stored."""
        values = {**result.model_dump(exclude={"content"}), "content": result.content.model_dump_json()}
        added = insert(_Result).values(values)
        # A row that replaces another one gets a new rowid, by which it is seen to be new.
        added = added.prefix_with("OR REPLACE") if replace else added.on_conflict_do_nothing()
        with self._database.begin() as connection:
            return bool(connection.execute(added).rowcount)

    def results(self, limit: int | None = None) -> list[Result]:
        """The newest first."""
        query = sa.select(_Result).order_by(_Result.finished_at.desc(), _Result.run).limit(limit)
        return self._read(query, _result)

    def result_ids(self) -> set[str]:
        with self._reading.connect() as connection:
            return set(connection.scalars(sa.select(_Result.run)))

    def _read(self, query: sa.Select[Any], content_of: Callable[[Any], Content]) -> list[Content]:
        """The content of each row that can be read."""
        found: list[Content] = []
        with self._reading.connect() as connection:
            rows = connection.execute(query)
            while True:
                try:
                    if (row := rows.fetchone()) is None:
                        return found
                    found.append(content_of(row))
                except (ValueError, TypeError, OverflowError) as error:
                    self._log_once(f"a stored row cannot be read: {error}")

    def _log_once(self, fault: str) -> None:
        if fault not in self._logged:
            self._logged.add(fault)
            log.error(fault)


def _write_sweep(connection: sa.Connection, sweep: Sweep) -> None:
    row = {"id": sweep.id, "submitted_at": sweep.submitted_at, "content": sweep.model_dump_json()}
    connection.execute(insert(_Sweep).values(row).on_conflict_do_update(["id"], set_=row))


def _sweep(row: Any) -> Sweep:
    return Sweep.model_validate_json(row.content)


def _job(row: Any) -> Job:
    state, fault = _state(row.state)
    return Job(
        id=row.id,
        server=row.server,
        recipe=_recipe(row.recipe),
        requested_by=row.requested_by,
        submitted_at=row.submitted_at,
        state=state,
        reason=fault or row.reason,
        handle=row.handle,
        started_at=row.started_at,
        ended_at=row.ended_at,
        progress=_progress(row.progress),
        sweep=row.sweep,
    )


def _state(stored: str) -> tuple[JobState, str]:
    """The state, and what is wrong with it."""
    try:
        return JobState(stored), ""
    except ValueError:
        return JobState.FAILED, f"its stored state, {stored!r}, is unknown"


@lru_cache(maxsize=20_000)
def _recipe(stored: str) -> Recipe:
    try:
        return Recipe.model_validate_json(stored)
    except ValidationError:
        return UNREADABLE


def _progress(stored: str) -> Progress:
    try:
        return Progress.model_validate_json(stored)
    except ValidationError:
        return Progress()


def _result(row: Any) -> Result:
    return Result(
        run=row.run,
        server=row.server,
        requested_by=row.requested_by,
        finished_at=row.finished_at,
        content=RunResult.model_validate_json(row.content),
    )
