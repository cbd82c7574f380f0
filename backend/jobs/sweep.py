"""One architecture trained over a grid of choices, and how far that is."""

import hashlib
from collections.abc import Sequence
from itertools import product
from statistics import mean
from typing import Annotated, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from backend.jobs.job import Job, JobState
from backend.jobs.result import Result
from models.recipe import Recipe
from models.result import DataFacts

GRID_FIELDS = ("depth", "dropout", "batch_norm")
"""The fields of a Recipe that differ from cell to cell; the seed differs within a cell."""

_TELLING = (
    JobState.RUNNING, JobState.LOST, JobState.STARTING, JobState.CANCELLING, JobState.QUEUED,
    JobState.FAILED, JobState.CANCELLED, JobState.DONE,
)  # fmt: skip
"""Of several jobs of a cell, the first of these says where the cell stands."""


class Grid(BaseModel):
    """What is tried: every depth with every dropout, with and without batch norm, `seeds` times each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    depths: Annotated[tuple[Annotated[int, Field(ge=1, le=99)], ...], Field(min_length=1)]
    dropouts: Annotated[
        tuple[Annotated[float, Field(ge=0, le=0.95, allow_inf_nan=False)], ...], Field(min_length=1)
    ] = (0.25, 0.75)
    batch_norms: Annotated[tuple[bool, ...], Field(min_length=1)] = (False, True)
    seeds: Annotated[int, Field(ge=1, le=20, description="Trainings a cell, each with its own seed")] = 1

    @field_validator("depths", "dropouts", "batch_norms")
    @classmethod
    def _in_order(cls, choices: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(sorted(set(choices)))

    def __or__(self, other: "Grid") -> "Grid":
        """The smallest grid that holds both."""
        return Grid(
            depths=self.depths + other.depths,
            dropouts=self.dropouts + other.dropouts,
            batch_norms=self.batch_norms + other.batch_norms,
            seeds=max(self.seeds, other.seeds),
        )

    def recipes(self, base: Recipe) -> list[Recipe]:
        """One a training; the first seed of every cell before the second of any."""
        return [
            base.model_copy(update=dict(zip(GRID_FIELDS, cell, strict=True)) | {"seed": base.seed + place})
            for place in range(self.seeds)
            for cell in product(self.depths, self.dropouts, self.batch_norms)
        ]


class Sweep(BaseModel):
    """A grid that somebody asked for, on one server with the same data; asked for again it grows."""

    model_config = ConfigDict(frozen=True)

    id: str
    server: str
    recipe: Recipe
    """What all cells share, and the first of their seeds. Its `GRID_FIELDS` mean nothing."""
    grid: Grid
    layers: dict[int, str]
    """Every depth that the architecture has, with its deepest layer: `{8: "CONV(5, 64)"}`."""
    data: DataFacts | None
    """None: not known here, because the data lies on another server."""
    requested_by: str
    submitted_at: AwareDatetime
    paused_by: str | None = None


class SweepCell(BaseModel):
    """One depth with one dropout and batch norm."""

    model_config = ConfigDict(frozen=True)

    depth: int
    dropout: float
    batch_norm: bool
    runs: tuple[str, ...] = ()
    """The finished ones, one a seed."""
    accuracy: float | None = None
    """Mean test accuracy of `runs` on all clips."""
    accuracy_full_length: float | None = None
    """The same on clips of a full second; None where the test has none."""
    job: Job | None = None
    """Of the trainings that are not finished, the one that tells most; None: none was ever asked for."""


def sweep_id(server: str, recipe: Recipe, data: DataFacts | None) -> str:
    """The same for the same server, data and recipe, whatever the grid is and however the sweep is named."""
    shared = recipe.model_dump_json(exclude={"name", "data", *GRID_FIELDS})
    what = f"{server} {data.hash if data else recipe.data} {shared}"
    return f"s{hashlib.sha256(what.encode()).hexdigest()[:8]}"


class Trial(NamedTuple):
    """One training of a sweep: its result, or the newest job that was to bring it."""

    recipe: Recipe
    result: Result | None
    job: Job | None


def trials(sweep: Sweep, jobs: Sequence[Job], results: Sequence[Result]) -> list[Trial]:
    """Every training of the sweep's grid; `jobs` are the sweep's own, the oldest first.

    Any run with the same recipe on the sweep's data counts, also one that was launched by itself. Where
    the data is not known, the sweep's own runs count.
    """
    own = {job.id for job in jobs}
    finished = {
        _alike(result.content.recipe): result
        for result in results
        if (result.content.data.hash == sweep.data.hash if sweep.data else result.run in own)
    }
    latest = {_alike(job.recipe): job for job in jobs}
    recipes = sweep.grid.recipes(sweep.recipe)
    return [Trial(recipe, finished.get(_alike(recipe)), latest.get(_alike(recipe))) for recipe in recipes]


def cells(found: Sequence[Trial]) -> list[SweepCell]:
    """The trials with the seeds of a cell together, in the order of the grid."""
    groups: dict[tuple[object, ...], list[Trial]] = {}
    for trial in found:
        groups.setdefault(tuple(getattr(trial.recipe, name) for name in GRID_FIELDS), []).append(trial)
    return [_cell(place, group) for place, group in groups.items()]


def _cell(place: tuple[object, ...], group: Sequence[Trial]) -> SweepCell:
    runs = [trial.result.content for trial in group if trial.result]
    jobs = [trial.job for trial in group if trial.job and not trial.result]
    full = [run.test_accuracy_full_length for run in runs if run.test_accuracy_full_length is not None]
    facts = {
        "runs": [run.run for run in runs],
        "accuracy": mean(run.test_accuracy for run in runs) if runs else None,
        "accuracy_full_length": mean(full) if full and len(full) == len(runs) else None,
        "job": min(jobs, key=lambda job: _TELLING.index(job.state), default=None),
    }
    return SweepCell.model_validate(dict(zip(GRID_FIELDS, place, strict=True)) | facts)


def _alike(recipe: Recipe) -> str:
    """Equal for recipes that train alike on the same data."""
    return recipe.model_dump_json(exclude={"name", "data"})
