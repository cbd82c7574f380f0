"""Successive halving: what goes on, what is dropped, and that nothing is trained twice."""

from typing import Any

from backend.jobs.halving import planned
from backend.jobs.job import JobState
from backend.jobs.sweep import Grid, SweepView, training_key
from backend.jobs.sweeps import Sweeps
from models.recipe import Recipe
from models.run_folder import RunFolder
from tests import examples
from tests.examples import recipe_of
from tests.jobs.scripted import ScriptedEngine, ScriptedLab
from tests.jobs.swept import measured, sweep, view, waiting

PLACES: list[dict[str, Any]] = [
    {"depth": 8, "dropout": dropout, "batch_norm": True} for dropout in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
]
GRID = Grid(
    depths=(8,), dropouts=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6), batch_norms=(True,), halving=(5, 15, 45)
)  # fmt: skip


def test_the_plan_counts_only_the_epochs_that_are_trained() -> None:
    assert planned(20, (5, 15, 45)) == (20 + 6 + 2, 100 + 60 + 60)
    assert planned(2, (5, 15, 45)) == (4, 10 + 10 + 30)
    assert GRID.planned(Recipe(data="speech")) == (6 + 2 + 1, 30 + 20 + 30)


def cells(shown: SweepView) -> list[tuple[float, int | None, bool, bool]]:
    return [(cell.dropout, cell.epochs, cell.is_dropped, cell.is_due) for cell in shown.cells]


def test_a_rung_waits_for_the_one_before_and_takes_the_best_by_validation() -> None:
    validation = (0.5, 0.9, 0.6, 0.8, 0.7)
    first = [
        measured(f"r{place}", 0.1 * place, epochs=5, **PLACES[place]) for place in range(len(validation))
    ]
    first = [
        result.model_copy(
            update={"content": result.content.model_copy(update={"validation_accuracy": accuracy})}
        )
        for result, accuracy in zip(first, validation, strict=True)
    ]
    asked = sweep(grid=GRID)
    waits = view(asked, [waiting("r5", epochs=5, **PLACES[5])], first)
    assert {cell.epochs for cell in waits.cells} == {5}
    assert not any(cell.is_dropped or cell.is_due for cell in waits.cells)
    # One that was cancelled may still be wanted; one that failed never has a result.
    cancelled = view(asked, [waiting("r5", JobState.CANCELLED, epochs=5, **PLACES[5])], first)
    assert {cell.epochs for cell in cancelled.cells} == {5}
    over = view(asked, [waiting("r5", JobState.FAILED, epochs=5, **PLACES[5])], first)
    assert cells(over) == [
        (0.1, 5, True, False), (0.2, 15, False, True), (0.3, 5, True, False), (0.4, 15, False, True),
        (0.5, 5, True, False), (0.6, 5, True, False),
    ]  # fmt: skip


def test_each_rung_is_queued_once_and_goes_on_from_the_last(
    lab: ScriptedLab, sweeps: Sweeps, engine: ScriptedEngine
) -> None:
    started = sweeps.start("gpu1,gpu2", Recipe(data="speech"), GRID, "kim")
    trained: list[Recipe] = []
    for _ in range(40):
        sweeps.advance()
        lab.queue.advance()
        for name in sorted(engine.running):
            job = lab.store.job(name)
            recipe = recipe_of(job)
            trained.append(recipe)
            if recipe.parent:
                assert job.server == lab.store.job(recipe.parent).server
            result = examples.run_result(name, recipe=recipe).model_copy(
                update={"validation_accuracy": recipe.dropout, "epochs": recipe.epochs}
            )
            RunFolder(lab.home.runs / name).result_file.write_text(result.model_dump_json())
        engine.running.clear()
    assert [(each.epochs, each.dropout) for each in trained if each.epochs > 5] == [
        (15, 0.5), (15, 0.6), (45, 0.6),
    ] or [(each.epochs, each.dropout) for each in trained if each.epochs > 5] == [
        (15, 0.6), (15, 0.5), (45, 0.6),
    ]  # fmt: skip
    assert len({training_key(each) for each in trained}) == len(trained) == 9
    assert sweeps.start("gpu1,gpu2", Recipe(data="speech"), GRID, "kim").queued == []
    (shown,) = [each for each in sweeps.sweeps() if each.id == started.id]
    assert [cell.epochs for cell in shown.cells if not cell.is_dropped] == [45]
