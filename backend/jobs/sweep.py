"""One architecture trained over a grid of choices."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import product
from statistics import mean
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from backend.jobs.halving import climbed, planned
from backend.jobs.job import Job, JobState, Resources
from backend.jobs.trial import Measured, Trial
from backend.jobs.vary import choices
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
    vary: Annotated[
        dict[str, str],
        Field(
            description="Other fields of the recipe: a range such as `1e-4..1e-2`, or values such as `32,64`"
        ),
    ] = {}
    trials: Annotated[
        int | None,
        Field(
            ge=1, le=1000, description="How many are drawn of `vary` by the seed; empty: every combination"
        ),
    ] = None
    halving: Annotated[
        tuple[Annotated[int, Field(ge=1, le=1000)], ...],
        Field(description="Epochs of each rung of successive halving, such as 5, 15, 45; empty: none"),
    ] = ()

    @field_validator("depths", "dropouts", "batch_norms")
    @classmethod
    def _in_order(cls, choices: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(sorted(set(choices)))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.vary:
            choices(self.vary, self.trials, 0)
        elif self.trials is not None:
            raise ValueError("trials are drawn of what varies: say what, with vary")
        if self.halving and (len(self.halving) < 2 or list(self.halving) != sorted(set(self.halving))):
            raise ValueError("halving needs two numbers of epochs or more, each larger than the one before")
        if self.halving and (self.seeds > 1 or "epochs" in self.vary):
            raise ValueError(
                "halving compares single trainings and sets their epochs: leave out seeds and epochs"
            )
        return self

    def __or__(self, other: "Grid") -> "Grid":
        """The smallest grid that holds both."""
        return Grid(
            depths=self.depths + other.depths,
            dropouts=self.dropouts + other.dropouts,
            batch_norms=self.batch_norms + other.batch_norms,
            seeds=max(self.seeds, other.seeds),
            vary=self.vary,
            trials=max(self.trials, other.trials) if self.trials and other.trials else self.trials,
            halving=self.halving,
        )

    def recipes(self, base: Recipe) -> list[Recipe]:
        """One a training, with the epochs of the first rung; the first seed of every cell before the second of any.

        Raises:
            ValueError: a value that varies is none that its field can have.
        """
        if self.halving:
            base = base.model_copy(update={"epochs": self.halving[0]})
        plain = [
            base.model_copy(update=dict(zip(GRID_FIELDS, cell, strict=True)) | {"seed": base.seed + place})
            for place in range(self.seeds)
            for cell in product(self.depths, self.dropouts, self.batch_norms)
        ]
        if not self.vary:
            return plain
        drawn = choices(self.vary, self.trials, base.seed)
        recipes = [
            Recipe.model_validate(recipe.model_dump() | values) for recipe in plain for values in drawn
        ]
        return list({training_key(recipe): recipe for recipe in recipes}.values())

    def planned(self, base: Recipe) -> tuple[int, int]:
        """How many trainings there will be, and how many epochs in all. Raises: ValueError: as `recipes`."""
        recipes = self.recipes(base)
        if self.halving:
            return planned(len(recipes), self.halving)
        return len(recipes), sum(recipe.epochs for recipe in recipes)


BY_ITSELF = "Sheetrack, because "
"""Begins who paused a sweep that no person paused."""


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

    @property
    def pauses_itself(self) -> bool:
        """Whether Sheetrack paused it, and no person."""
        return (self.paused_by or "").startswith(BY_ITSELF)


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
    validation_accuracy: float | None = None
    varied: dict[str, bool | int | float | str | None] = {}
    """The values of what varies beside these."""
    epochs: int | None = None
    """The rung of successive halving that it is on; None: there are no rungs."""
    is_dropped: bool = False
    """Whether others went on to a higher rung and this one did not."""
    is_due: bool = False
    """Whether it is to go on to its rung, and no job was submitted for it yet."""
    job: Job | None = None
    """Of the trainings without a result, the job that tells most; None: none was submitted."""


class SweepView(Sweep):
    """A sweep with its cells as they are now."""

    cells: list[SweepCell]


def sweep_id(server: str, recipe: Recipe, data: DataFacts | None, grid: Grid | None = None) -> str:
    """The same for the same server, data and recipe, however the sweep is named.

    A grid that grows is the same sweep, one in which something else varies is another.
    """
    # Without those that an older release did not know: its sweeps keep their names.
    newer = ("seconds", "sample_rate", *FILLED_IN)
    empty = [name for name in newer if getattr(recipe, name) == Recipe.model_fields[name].default]
    shared = recipe.model_dump_json(exclude={"name", "data", *GRID_FIELDS, *empty})
    what = f"{server} {data.hash if data else recipe.data} {shared}"
    if grid and (grid.vary or grid.halving):
        # More trials make the same sweep grow; with rungs they would change what was dropped.
        trials = grid.trials if grid.halving else None
        what += f" {sorted(grid.vary.items())} {grid.halving} {trials}"
    return f"s{hashlib.sha256(what.encode()).hexdigest()[:8]}"


def preparation_id(server: str, recipe: Recipe, grid: Grid) -> str:
    """Names a request for a sweep whose data is not read yet; the same for the same request."""
    what = f"{server} {recipe.model_dump_json()} {grid.model_dump_json()}"
    return f"p{hashlib.sha256(what.encode()).hexdigest()[:8]}"


def training_key(recipe: Recipe) -> str:
    """Equal for recipes that give the same training on the same data; made of their exact values."""
    return recipe.model_dump_json(exclude={"name", "data"})


def trials(sweep: Sweep, jobs: Sequence[Job], measured: Mapping[str, Measured]) -> list[Trial]:
    """Every training of the sweep that can begin, with the newest of its `jobs`, which are in order of submission.

    `measured` are the finished runs on the sweep's data by `training_key`, whichever launch they came from.
    """
    latest = {training_key(job.recipe): job for job in jobs if job.recipe}

    def trial(recipe: Recipe) -> Trial:
        key = training_key(recipe)
        return Trial(recipe, measured.get(key), latest.get(key))

    found = [trial(recipe) for recipe in sweep.grid.recipes(sweep.recipe)]
    return climbed(found, sweep.grid.halving, trial) if sweep.grid.halving else found


def cells(found: Sequence[Trial], grid: Grid | None = None) -> list[SweepCell]:
    """The trials with the seeds of a cell together, or its rungs, in the order of the grid."""
    vary, rungs = (sorted(grid.vary), grid.halving) if grid else ([], ())
    groups: dict[tuple[object, ...], list[Trial]] = {}
    for trial in found:
        place = tuple(getattr(trial.recipe, name) for name in (*GRID_FIELDS, *vary))
        groups.setdefault(place, []).append(trial)
    highest = max((trial.recipe.epochs for trial in found), default=0)
    return [_climber(vary, group, highest) if rungs else _cell(vary, group) for group in groups.values()]


def _cell(vary: Sequence[str], group: Sequence[Trial]) -> SweepCell:
    runs = [trial.measured for trial in group if trial.measured]
    jobs = [trial.job for trial in group if trial.job and not trial.measured]
    full = [run.accuracy_full_length for run in runs if run.accuracy_full_length is not None]
    validation = [run.validation_accuracy for run in runs if run.validation_accuracy is not None]
    return _placed(
        vary,
        group[0].recipe,
        runs=tuple(run.run for run in runs),
        accuracy=mean(run.accuracy for run in runs) if runs else None,
        accuracy_full_length=mean(full) if full and len(full) == len(runs) else None,
        validation_accuracy=mean(validation) if validation else None,
        job=min(jobs, key=lambda job: _TELLING.index(job.state), default=None),
    )


def _climber(vary: Sequence[str], group: Sequence[Trial], highest: int) -> SweepCell:
    """A cell of successive halving: the last rung that it was measured on, and the one that it is on."""
    last = group[-1]
    known = next((trial.measured for trial in reversed(group) if trial.measured), None)
    return _placed(
        vary,
        last.recipe,
        runs=(known.run,) if known else (),
        accuracy=known.accuracy if known else None,
        accuracy_full_length=known.accuracy_full_length if known else None,
        validation_accuracy=known.validation_accuracy if known else None,
        job=None if last.measured else last.job,
        epochs=last.recipe.epochs,
        is_dropped=last.recipe.epochs < highest,
        is_due=last.measured is None and last.job is None,
    )


def _placed(vary: Sequence[str], recipe: Recipe, **facts: object) -> SweepCell:
    place = {name: getattr(recipe, name) for name in GRID_FIELDS}
    return SweepCell.model_validate(
        place | {"varied": {name: getattr(recipe, name) for name in vary}} | facts
    )
