"""Tables of jobs, sweeps and results, and what their rows mean."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Row
from backend.jobs.job import Job, JobState
from backend.jobs.result import Result
from backend.jobs.sweep import Sweep
from models.recipe import Recipe
from models.result import Progress, RunResult

UNREADABLE = Recipe(name="The stored recipe cannot be read.", architecture="unknown", data="unknown")
"""Stands for a recipe that cannot be read: the job is shown, and followed where it runs already."""


class JobRow(Row):
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


class SweepRow(Row):
    __tablename__ = "sweeps"
    id: Mapped[str] = mapped_column(primary_key=True)
    submitted_at: Mapped[datetime]
    content: Mapped[str]


class ResultRow(Row):
    __tablename__ = "results"
    run: Mapped[str] = mapped_column(primary_key=True)
    server: Mapped[str]
    requested_by: Mapped[str]
    finished_at: Mapped[datetime]
    content: Mapped[str]


def sweep_of(row: Any) -> Sweep:
    return Sweep.model_validate_json(row.content)


def job_of(row: Any) -> Job:
    state, fault = state_of(row.state)
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


def state_of(stored: str) -> tuple[JobState, str]:
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


def result_of(row: Any) -> Result:
    return Result(
        run=row.run,
        server=row.server,
        requested_by=row.requested_by,
        finished_at=row.finished_at,
        content=RunResult.model_validate_json(row.content),
    )
