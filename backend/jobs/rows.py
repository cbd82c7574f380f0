"""Tables of jobs, sweeps and results, and what their rows mean."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Row
from backend.jobs.job import UNREADABLE, AssignedGpu, Decision, Job, JobState, Limits
from backend.jobs.result import Result
from backend.jobs.sweep import Sweep
from models.command import Command
from models.recipe import Recipe
from models.result import ProgramResult, Progress, RunResult

Content = TypeVar("Content")


class JobRow(Row):
    __tablename__ = "jobs"
    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str]
    key: Mapped[str | None]
    server: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str]
    recipe: Mapped[str]
    """JSON; `null` where the job runs a command."""
    command: Mapped[str | None]
    requested_by: Mapped[str]
    submitted_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    handle: Mapped[str | None]
    progress: Mapped[str]
    sweep: Mapped[str | None]
    servers: Mapped[str]
    gpus: Mapped[int | None]
    gpu_memory_gib: Mapped[float | None]
    assigned: Mapped[str | None]
    limits: Mapped[str | None]
    put_first: Mapped[str | None]
    override: Mapped[str | None]
    attempt: Mapped[int]
    retries: Mapped[int]
    epochs: Mapped[int]
    continues: Mapped[str]


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


_SERVERS = TypeAdapter(tuple[str, ...])
_ASSIGNED = TypeAdapter(tuple[AssignedGpu, ...] | None)
_LIMITS = TypeAdapter(Limits | None)
_DECISION = TypeAdapter(Decision | None)


def columns_of(job: Job, fields: Iterable[str]) -> dict[str, Any]:
    """The values of these fields of `job` as they are stored: what has parts as JSON."""
    columns = {field: _stored(getattr(job, field)) for field in fields}
    if "recipe" in columns and columns["recipe"] is None:
        columns["recipe"] = "null"
    return columns


def _stored(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return to_json(value).decode() if isinstance(value, tuple) else value


def sweep_of(row: Any) -> Sweep:
    return Sweep.model_validate_json(row.content)


def job_of(row: Any) -> Job:
    state, fault = state_of(row.state)
    command = _command(row.command) if row.command else None
    return Job(
        id=row.id,
        server=row.server,
        recipe=None if command else _recipe(row.recipe),
        command=command,
        requested_by=row.requested_by,
        submitted_at=row.submitted_at,
        state=state,
        reason=fault or row.reason,
        handle=row.handle,
        started_at=row.started_at,
        ended_at=row.ended_at,
        progress=_progress(row.progress),
        sweep=row.sweep,
        servers=_read(_SERVERS, row.servers) or (),
        gpus=row.gpus,
        gpu_memory_gib=row.gpu_memory_gib,
        assigned=_read(_ASSIGNED, row.assigned),
        limits=_read(_LIMITS, row.limits),
        put_first=_read(_DECISION, row.put_first),
        override=_read(_DECISION, row.override),
        attempt=row.attempt,
        retries=row.retries,
        epochs=row.epochs,
        continues=row.continues,
    )


def _read(adapter: TypeAdapter[Content], stored: str | None) -> Content | None:
    """What `stored` holds; None where it cannot be read."""
    try:
        return adapter.validate_json(stored) if stored else None
    except ValidationError:
        return None


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


@lru_cache(maxsize=20_000)
def _command(stored: str) -> Command | None:
    try:
        return Command.model_validate_json(stored)
    except ValidationError:
        return None


def _progress(stored: str) -> Progress:
    try:
        return Progress.model_validate_json(stored)
    except ValidationError:
        return Progress()


_CONTENT: TypeAdapter[RunResult | ProgramResult] = TypeAdapter(RunResult | ProgramResult)


def result_of(row: Any) -> Result:
    return Result(
        run=row.run,
        server=row.server,
        requested_by=row.requested_by,
        finished_at=row.finished_at,
        content=_CONTENT.validate_json(row.content),
    )
