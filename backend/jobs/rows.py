"""Tables of jobs, sweeps and results, and what their rows mean."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

from backend.database import Moment
from backend.jobs.job import UNREADABLE, AssignedGpu, Decision, Job, JobState, Limits
from backend.jobs.result import Result
from backend.jobs.sweep import Sweep
from models.command import Command
from models.recipe import Recipe
from models.result import ProgramResult, Progress, RunResult

Content = TypeVar("Content")

JOBS = sa.table(
    "jobs",
    sa.column("number", sa.Integer),
    sa.column("id", sa.Text),
    sa.column("key", sa.Text),
    sa.column("server", sa.Text),
    sa.column("state", sa.Text),
    sa.column("reason", sa.Text),
    sa.column("recipe", sa.Text),  # JSON; `null` where the job runs a command.
    sa.column("command", sa.Text),
    sa.column("requested_by", sa.Text),
    sa.column("submitted_at", Moment),
    sa.column("started_at", Moment),
    sa.column("ended_at", Moment),
    sa.column("handle", sa.Text),
    sa.column("progress", sa.Text),
    sa.column("sweep", sa.Text),
    sa.column("servers", sa.Text),
    sa.column("gpus", sa.Integer),
    sa.column("gpu_memory_gib", sa.Float),
    sa.column("assigned", sa.Text),
    sa.column("limits", sa.Text),
    sa.column("put_first", sa.Text),
    sa.column("override", sa.Text),
    sa.column("attempt", sa.Integer),
    sa.column("retries", sa.Integer),
    sa.column("epochs", sa.Integer),
    sa.column("continues", sa.Text),
)

SWEEPS = sa.table(
    "sweeps",
    sa.column("id", sa.Text),
    sa.column("submitted_at", Moment),
    sa.column("content", sa.Text),
)

RESULTS = sa.table(
    "results",
    sa.column("run", sa.Text),
    sa.column("server", sa.Text),
    sa.column("requested_by", sa.Text),
    sa.column("finished_at", Moment),
    sa.column("content", sa.Text),
)

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
