"""The grid of a sweep, its name, and its cells."""

import pytest
from pydantic import ValidationError

from backend.jobs.job import JobState
from backend.jobs.sweep import Grid, sweep_id, training_key
from models.recipe import Recipe
from tests.jobs.swept import SPEECH, sweep, view, waiting


def test_a_grid_is_in_order_and_trains_one_seed_of_every_cell_first() -> None:
    grid = Grid(depths=(8, 5, 8), dropouts=(0.75, 0.25), batch_norms=(True,), seeds=2)
    recipes = grid.recipes(Recipe(data="speech", seed=7))
    assert [(recipe.depth, recipe.dropout, recipe.seed) for recipe in recipes] == [
        (depth, dropout, seed) for seed in (7, 8) for depth in (5, 8) for dropout in (0.25, 0.75)
    ]
    assert {recipe.batch_norm for recipe in recipes} == {True}
    grown = grid | Grid(depths=(1,), batch_norms=(False,))
    assert grown == Grid(depths=(1, 5, 8), dropouts=(0.25, 0.75), batch_norms=(False, True), seeds=2)


@pytest.mark.parametrize(
    "wrong", [{"depths": ()}, {"depths": (0,)}, {"dropouts": (1.5,)}, {"seeds": 0}, {"batch_norms": ()}]
)
def test_a_grid_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Grid.model_validate({"depths": (5,)} | wrong)


def test_a_sweep_is_the_same_for_the_same_recipe_data_and_server_only() -> None:
    base = Recipe(data="/data/speech")
    same = base.model_copy(update={"data": "/moved", "name": "again", "depth": 3, "dropout": 0.1})
    assert sweep_id("gpu1", base, SPEECH) == sweep_id("gpu1", same, SPEECH)
    others = [
        sweep_id("gpu2", base, SPEECH),
        sweep_id("gpu1", base, SPEECH.model_copy(update={"hash": "other"})),
        sweep_id("gpu1", base.model_copy(update={"epochs": 3}), SPEECH),
        sweep_id("gpu1", base, None),
        sweep_id("gpu1", same, None),
    ]
    assert len({sweep_id("gpu1", base, SPEECH), *others}) == 6


def test_trainings_are_told_apart_by_exact_values() -> None:
    recipes = Grid(depths=(8,), dropouts=(0.1234561, 0.1234562)).recipes(Recipe(data="speech"))
    assert len({training_key(recipe) for recipe in recipes}) == 4
    assert len({recipe.title for recipe in recipes}) == 4
    again = recipes[0].model_copy(update={"name": "again", "data": "/moved"})
    assert training_key(again) == training_key(recipes[0])


def test_the_job_that_tells_most_of_a_cell_is_shown() -> None:
    grid = Grid(depths=(5,), dropouts=(0.25,), batch_norms=(False,), seeds=2)
    place = {"depth": 5, "dropout": 0.25, "batch_norm": False}
    for first, second in (
        (JobState.FAILED, JobState.QUEUED),
        (JobState.QUEUED, JobState.CANCELLING),
        (JobState.CANCELLING, JobState.RUNNING),
    ):
        jobs = [waiting("r1", first, **place), waiting("r2", second, seed=1, **place)]
        (cell,) = view(sweep(grid=grid), jobs).cells
        assert cell.job
        assert cell.job.state is second
