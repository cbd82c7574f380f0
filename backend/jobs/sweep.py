"""One architecture trained over a grid of choices."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import product
from statistics import mean
from typing import Annotated, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from backend.jobs.job import Job, JobState, Resources
from models.recipe import FILLED_IN, Recipe
from models.result import DataFacts

GRID_FIELDS = ("depth", "dropout", "batch_norm")
"""The fields of a Recipe that differ from cell to cell; the seed differs within a cell."""

_TELLING = (
    JobState.RUNNING, JobState.LOST, JobState.STARTING, JobState.CANCELLING, JobState.QUEUED,
    JobState.FAILED, JobState.TIMED_OUT, JobState.CANCELLED, JobState.DONE,
)  # fmt: skip
"""Of several jobs of a cell, the one whose state comes first here is shown."""


class Grid(BaseModel):
    """Every depth with every dropout, with and without batch norm, `seeds` trainings each."""

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
    """A grid of trainings on one data set, on one server or several; a further request makes it grow."""

    model_config = ConfigDict(frozen=True)

    id: str
    server: str
    """A name, several with commas between them, or `any`."""
    recipe: Recipe
    """The choices that all cells share, and the first of their seeds. Its `GRID_FIELDS` have no meaning."""
    grid: Grid
    layers: dict[int, str]
    """The depths of the architecture, each with its deepest layer: `{8: "CONV(5, 64)"}`."""
    resources: Resources = Resources()
    """What each of its jobs needs."""
    data: DataFacts | None
    """None: not known here, because the data is on another server or is not read yet."""
    requested_by: str
    submitted_at: AwareDatetime
    paused_by: str | None = None
    preparing: str = ""
    """How far the reading of its data is; empty: nothing is to be read. No job is queued before."""
    fault: str = ""
    """Why its data cannot be read, so that no job is queued."""


class SweepCell(BaseModel):
    """One depth with one dropout and batch norm."""

    model_config = ConfigDict(frozen=True)

    depth: int
    dropout: float
    batch_norm: bool
    runs: tuple[str, ...] = ()
    """The finished runs, one a seed."""
    accuracy: float | None = None
    """Mean test accuracy of `runs` on all clips."""
    accuracy_full_length: float | None = None
    """The same on clips of a full second; None where the test has none."""
    job: Job | None = None
    """Of the trainings without a result, the job that tells most; None: none was submitted."""


class SweepView(Sweep):
    """A sweep with its cells as they are now."""

    cells: list[SweepCell]


def sweep_id(server: str, recipe: Recipe, data: DataFacts | None) -> str:
    """The same for the same server, data and recipe, whatever the grid is and however the sweep is named."""
    # Without those that an older release did not know: its sweeps keep their names.
    newer = ("seconds", "sample_rate", *FILLED_IN)
    empty = [name for name in newer if getattr(recipe, name) == Recipe.model_fields[name].default]
    shared = recipe.model_dump_json(exclude={"name", "data", *GRID_FIELDS, *empty})
    what = f"{server} {data.hash if data else recipe.data} {shared}"
    return f"s{hashlib.sha256(what.encode()).hexdigest()[:8]}"


def preparation_id(server: str, recipe: Recipe, grid: Grid) -> str:
    """Names a request for a sweep whose data is not read yet; the same for the same request."""
    what = f"{server} {recipe.model_dump_json()} {grid.model_dump_json()}"
    return f"p{hashlib.sha256(what.encode()).hexdigest()[:8]}"


def training_key(recipe: Recipe) -> str:
    """Equal for recipes that give the same training on the same data; made of their exact values."""
    return recipe.model_dump_json(exclude={"name", "data"})


class Measured(NamedTuple):
    """The facts of a finished run that a sweep shows."""

    run: str
    accuracy: float
    """Test accuracy on all clips."""
    accuracy_full_length: float | None
    """The same on clips of a full second; None where the test has none."""


class Trial(NamedTuple):
    """One training of a sweep: its finished run, or the newest job that was submitted for it."""

    recipe: Recipe
    measured: Measured | None
    job: Job | None


def trials(sweep: Sweep, jobs: Sequence[Job], measured: Mapping[str, Measured]) -> list[Trial]:
    """Every training of the sweep's grid, with the newest of its `jobs`, which are in order of submission.

    `measured` are the finished runs on the sweep's data by `training_key`, whichever launch they came from.
    """
    latest = {training_key(job.recipe): job for job in jobs if job.recipe}
    recipes = [(recipe, training_key(recipe)) for recipe in sweep.grid.recipes(sweep.recipe)]
    return [Trial(recipe, measured.get(key), latest.get(key)) for recipe, key in recipes]


def cells(found: Sequence[Trial]) -> list[SweepCell]:
    """The trials with the seeds of a cell together, in the order of the grid."""
    groups: dict[tuple[object, ...], list[Trial]] = {}
    for trial in found:
        groups.setdefault(tuple(getattr(trial.recipe, name) for name in GRID_FIELDS), []).append(trial)
    return [_cell(place, group) for place, group in groups.items()]


def _cell(place: tuple[object, ...], group: Sequence[Trial]) -> SweepCell:
    runs = [trial.measured for trial in group if trial.measured]
    jobs = [trial.job for trial in group if trial.job and not trial.measured]
    full = [run.accuracy_full_length for run in runs if run.accuracy_full_length is not None]
    facts = {
        "runs": [run.run for run in runs],
        "accuracy": mean(run.accuracy for run in runs) if runs else None,
        "accuracy_full_length": mean(full) if full and len(full) == len(runs) else None,
        "job": min(jobs, key=lambda job: _TELLING.index(job.state), default=None),
    }
    return SweepCell.model_validate(dict(zip(GRID_FIELDS, place, strict=True)) | facts)
