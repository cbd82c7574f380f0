"""A sweep of ch32 on gpu1 with its jobs and results, as they come."""

from collections.abc import Sequence

from backend.jobs.job import Job, JobState
from backend.jobs.result import Result, trainings
from backend.jobs.sweep import Grid, Sweep, SweepView, cells, training_key, trials
from backend.jobs.trial import Measured
from models.recipe import Recipe
from models.result import DataFacts
from tests import examples

SPEECH = DataFacts(name="speech", hash="abc", synthetic=False)
LAYERS = {depth: f"CONV(5, {32 if depth <= 4 else 64})" for depth in range(1, 9)}


def sweep(**changes: object) -> Sweep:
    base = Recipe(data="/data/speech", epochs=2)
    plain = Sweep(
        id="s1",
        server="gpu1",
        recipe=base,
        grid=Grid(depths=(5, 8)),
        layers=LAYERS,
        data=SPEECH,
        requested_by="kim",
        submitted_at=examples.NOON,
    )
    return plain.model_copy(update=changes)


def measured(run: str, accuracy: float, **changes: object) -> Result:
    """A run of the sweep's recipe with `changes`."""
    recipe = sweep().recipe.model_copy(update={"data": "/elsewhere", "name": run} | changes)
    return examples.result(run, accuracy, recipe=recipe, data=SPEECH)


def waiting(name: str, state: JobState = JobState.QUEUED, **changes: object) -> Job:
    recipe = sweep().recipe.model_copy(update=changes)
    return examples.job(name, recipe=recipe, state=state, sweep="s1")


def view(asked: Sweep, jobs: Sequence[Job] = (), results: Sequence[Result] = ()) -> SweepView:
    """The sweep with its cells, where all results are on its data."""
    measured = {
        training_key(content.recipe): Measured(
            run.run, content.test_accuracy, content.test_accuracy_full_length, content.validation_accuracy
        )
        for run, content in trainings(results)
    }
    return SweepView(**dict(asked), cells=cells(trials(asked, jobs, measured), asked.grid))
