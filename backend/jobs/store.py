"""Jobs, sweeps and results in the database.

A row that cannot be read costs only itself: it is left out, or shown with what is wrong, and logged once.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from backend.errors import ConflictError, NotFoundError
from backend.jobs.job import Job, JobState
from backend.jobs.result import Result
from backend.jobs.rows import JOBS, RESULTS, SWEEPS, columns_of, job_of, result_of, state_of, sweep_of
from backend.jobs.sweep import Sweep
from backend.servers.logins import person_of

log = logging.getLogger(__name__)

Content = TypeVar("Content")

_UNFINISHED = [state.value for state in JobState if not state.is_over]


class JobStore:
    """Safe to use from several threads and processes."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._reading = database.execution_options(reading=True)
        self._logged: set[str] = set()
        self.unreadable_results: set[str] = set()
        """The runs whose results were among those to be read, and could not be."""

    # Jobs

    def add_job(self, job: Job, key: str | None = None) -> Job:
        """Stores `job`; where a job with the same idempotency `key` exists, returns that one instead."""
        values = {**columns_of(job, Job.model_fields), "key": key}
        with self._database.begin() as connection:
            done = connection.execute(insert(JOBS).values(values).on_conflict_do_nothing(["key"]))
            if not done.rowcount:
                return job_of(connection.execute(sa.select(JOBS).where(JOBS.c.key == key)).one())
        return job

    def job(self, job_id: str) -> Job:
        """Raises: NotFoundError: there is no such job."""
        with self._reading.connect() as connection:
            row = connection.execute(sa.select(JOBS).where(JOBS.c.id == job_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"There is no job {job_id}.", "`sheetrack jobs` lists them.")
        return job_of(row)

    def unfinished_jobs(self) -> list[Job]:
        """In the order of submission."""
        return self._read(
            sa.select(JOBS).where(JOBS.c.state.in_(_UNFINISHED)).order_by(JOBS.c.number), job_of
        )

    def finished_jobs(self, limit: int, *, swept: bool = True) -> list[Job]:
        """The newest first; without those of sweeps unless `swept`."""
        over = [JOBS.c.state.not_in(_UNFINISHED), *(() if swept else (JOBS.c.sweep.is_(None),))]
        newest = (JOBS.c.ended_at.desc(), JOBS.c.number.desc())
        # In two steps, so that the recipes of all are neither read nor sorted.
        found = sa.select(JOBS.c.number).where(*over).order_by(*newest).limit(limit)
        return self._read(sa.select(JOBS).where(JOBS.c.number.in_(found)).order_by(*newest), job_of)

    def waits_seconds(self, since: datetime, until: datetime) -> list[float]:
        """For how long each job that started in that time had waited."""
        query = sa.select(JOBS.c.submitted_at, JOBS.c.started_at).where(
            JOBS.c.started_at >= since, JOBS.c.started_at < until
        )
        with self._reading.connect() as connection:
            return [
                max(0.0, (started - submitted).total_seconds())
                for submitted, started in connection.execute(query)
                if started
            ]

    def last_starts(self) -> dict[tuple[str, str, bool], float]:
        """When the last job of each person started on each server, in seconds since 1970; with GPUs and without."""
        has_gpus = sa.func.coalesce(JOBS.c.assigned, "[]") != "[]"
        query = (
            sa.select(JOBS.c.server, JOBS.c.requested_by, has_gpus, sa.func.max(JOBS.c.started_at))
            .where(JOBS.c.started_at.is_not(None))
            .group_by(JOBS.c.server, JOBS.c.requested_by, has_gpus)
        )
        with self._reading.connect() as connection:
            found: dict[tuple[str, str, bool], float] = {}
            for server, requested_by, with_gpus, started in connection.execute(query):
                key = (server, person_of(requested_by), bool(with_gpus))
                found[key] = max(started.timestamp(), found.get(key, 0))
            return found

    def count_jobs(self) -> dict[JobState, int]:
        """How many jobs are in each state, of all that were ever submitted."""
        query = sa.select(JOBS.c.state, sa.func.count()).group_by(JOBS.c.state)
        counts: dict[JobState, int] = {}
        with self._reading.connect() as connection:
            for stored, count in connection.execute(query):
                state, _ = state_of(stored)
                counts[state] = counts.get(state, 0) + count
        return counts

    def change_job(self, job: Job, **changes: Any) -> Job:
        """Writes `changes` if the job is still in the state of `job`.

        Raises:
            ConflictError: its state has changed, for example because a person cancelled it.
        """
        changed = job.model_copy(update=changes)
        query = (
            sa.update(JOBS)
            .where(JOBS.c.id == job.id, JOBS.c.state == job.state)
            .values(columns_of(changed, changes))
        )
        with self._database.begin() as connection:
            if not connection.execute(query).rowcount:
                raise ConflictError(f"Job {job.id} changed in the meantime.", "Look at it again.")
        return changed

    def cancel_jobs(self, sweep_id: str, reason: str, at: datetime) -> int:
        """Cancels the jobs of a sweep that wait, and those that hold a server; returns how many they were."""
        held = [state.value for state in JobState if state.holds_server and state is not JobState.CANCELLING]
        theirs = sa.update(JOBS).where(JOBS.c.sweep == sweep_id)
        waiting = theirs.where(JOBS.c.state == JobState.QUEUED)
        started = theirs.where(JOBS.c.state.in_(held))
        with self._database.begin() as connection:
            cancelled = connection.execute(
                waiting.values(state=JobState.CANCELLED, reason=reason, ended_at=at)
            )
            cancelling = connection.execute(started.values(state=JobState.CANCELLING, reason=reason))
        return int(cancelled.rowcount + cancelling.rowcount)

    def note_handle(self, job_id: str, handle: str) -> None:
        """Stores how the engine calls a job, whatever its state is by now."""
        with self._database.begin() as connection:
            connection.execute(sa.update(JOBS).where(JOBS.c.id == job_id).values(handle=handle))

    def note_reasons(self, reasons: Mapping[str, str]) -> None:
        """Stores why jobs wait, by their ids, where they still wait."""
        if not reasons:
            return
        query = sa.update(JOBS).where(
            JOBS.c.id == sa.bindparam("job"),
            JOBS.c.state == JobState.QUEUED,
            JOBS.c.reason != sa.bindparam("why"),
        )
        values = [{"job": job_id, "why": reason} for job_id, reason in reasons.items()]
        with self._database.begin() as connection:
            connection.execute(query.values(reason=sa.bindparam("why")), values)

    def newest_ended(self, sweep_id: str, limit: int) -> list[Job]:
        """The jobs of a sweep that are over, the newest first; a cancelled one does not count."""
        over = JOBS.c.state.not_in([*_UNFINISHED, JobState.CANCELLED])
        query = sa.select(JOBS).where(JOBS.c.sweep == sweep_id, over)
        return self._read(query.order_by(JOBS.c.ended_at.desc(), JOBS.c.number.desc()).limit(limit), job_of)

    def swept(self) -> set[str]:
        """The ids of all jobs of sweeps."""
        with self._reading.connect() as connection:
            return set(connection.scalars(sa.select(JOBS.c.id).where(JOBS.c.sweep.is_not(None))))

    def jobs_of(self, sweep_id: str) -> list[Job]:
        """The jobs of a sweep, in the order of submission."""
        return self._read(sa.select(JOBS).where(JOBS.c.sweep == sweep_id).order_by(JOBS.c.number), job_of)

    # Sweeps

    def add_sweep(self, sweep: Sweep) -> Sweep:
        """Stores `sweep`; where it is stored already, its grid grows by the one of `sweep`."""
        with self._database.begin() as connection:
            query = sa.select(SWEEPS.c.content).where(SWEEPS.c.id == sweep.id)
            if content := connection.scalars(query).one_or_none():
                known = Sweep.model_validate_json(content)
                sweep = known.model_copy(update={"grid": known.grid | sweep.grid})
            _write_sweep(connection, sweep)
        return sweep

    def change_sweep(self, sweep_id: str, **changes: Any) -> Sweep:
        """Writes `changes` to a stored sweep.

        Raises:
            NotFoundError: there is no such sweep.
        """
        with self._database.begin() as connection:
            query = sa.select(SWEEPS.c.content).where(SWEEPS.c.id == sweep_id)
            content = connection.scalars(query).one_or_none()
            if content is None:
                raise NotFoundError(f"There is no sweep {sweep_id}.", "`sheetrack sweep` lists them.")
            sweep = Sweep.model_validate_json(content).model_copy(update=changes)
            _write_sweep(connection, sweep)
        return sweep

    def remove_sweep(self, sweep_id: str) -> bool:
        """Removes a sweep; returns whether it was there."""
        with self._database.begin() as connection:
            return bool(connection.execute(sa.delete(SWEEPS).where(SWEEPS.c.id == sweep_id)).rowcount)

    def sweeps(self) -> list[Sweep]:
        """The newest first."""
        return self._read(sa.select(SWEEPS).order_by(SWEEPS.c.submitted_at.desc(), SWEEPS.c.id), sweep_of)

    # Results

    def add_result(self, result: Result, *, replace: bool = False) -> bool:
        """Stores a result once, or in place of a stored one; returns whether it was stored."""
        values = {**result.model_dump(exclude={"content"}), "content": result.content.model_dump_json()}
        added = insert(RESULTS).values(values)
        # A row that replaces another one gets a new rowid, by which it is seen to be new.
        added = added.prefix_with("OR REPLACE") if replace else added.on_conflict_do_nothing()
        with self._database.begin() as connection:
            return bool(connection.execute(added).rowcount)

    def results(self, limit: int | None = None, offset: int = 0) -> list[Result]:
        """The newest first, without the newest `offset`."""
        query = sa.select(RESULTS).order_by(RESULTS.c.finished_at.desc(), RESULTS.c.run)
        query = query.limit(limit).offset(offset)
        return self._read(query, result_of, self.unreadable_results)

    def result(self, run: str) -> Result | None:
        """The stored result of a run; None where there is none that can be read."""
        query = sa.select(RESULTS).where(RESULTS.c.run == run)
        return next(iter(self._read(query, result_of, self.unreadable_results)), None)

    def remove_result(self, run: str) -> None:
        with self._database.begin() as connection:
            connection.execute(sa.delete(RESULTS).where(RESULTS.c.run == run))

    def result_ids(self) -> set[str]:
        with self._reading.connect() as connection:
            # All at once: one by one takes three times as long.
            return set(connection.scalars(sa.select(RESULTS.c.run)).all())

    def count_results(self) -> int:
        with self._reading.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(RESULTS)) or 0

    def _read(
        self, query: sa.Select[Any], content_of: Callable[[Any], Content], unreadable: set[str] | None = None
    ) -> list[Content]:
        """The content of each row that can be read; the names of the other runs are added to `unreadable`."""
        found: list[Content] = []
        with self._reading.connect() as connection:
            rows = connection.execute(query)
            while True:
                row = None
                try:
                    if (row := rows.fetchone()) is None:
                        return found
                    found.append(content_of(row))
                except (ValueError, TypeError, OverflowError) as error:
                    if unreadable is not None and row is not None:
                        unreadable.add(row.run)
                    self._log_once(f"a stored row cannot be read: {error}")

    def _log_once(self, fault: str) -> None:
        if fault not in self._logged:
            self._logged.add(fault)
            log.error(fault)


def _write_sweep(connection: sa.Connection, sweep: Sweep) -> None:
    row = {"id": sweep.id, "submitted_at": sweep.submitted_at, "content": sweep.model_dump_json()}
    connection.execute(insert(SWEEPS).values(row).on_conflict_do_update(["id"], set_=row))
