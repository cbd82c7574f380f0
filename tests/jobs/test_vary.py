"""What varies in a sweep: draws and lists."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from backend.jobs.sweep import Grid
from backend.jobs.vary import choices, in_words
from models.recipe import Recipe

RATES = {"learning_rate": "1e-4..1e-2"}
BASE = Recipe(data="speech", seed=3)


def test_draws_are_the_same_for_the_same_seed_and_more_of_them_begin_alike() -> None:
    twenty = [each["learning_rate"] for each in choices(RATES, 20, 0)]
    assert twenty == [each["learning_rate"] for each in choices(RATES, 30, 0)][:20]
    assert twenty != [each["learning_rate"] for each in choices(RATES, 20, 1)]


def test_a_rate_is_drawn_evenly_in_its_logarithm() -> None:
    drawn = [float(str(each["learning_rate"])) for each in choices(RATES, 1000, 0)]
    assert all(1e-4 <= each <= 1e-2 for each in drawn)
    assert sum(math.log10(each) for each in drawn) / 1000 == pytest.approx(-3, abs=0.1)


def test_values_have_the_type_of_their_field() -> None:
    grid = Grid(
        depths=(8,), dropouts=(0.5,), batch_norms=(True,),
        vary={"batch_size": "16..256", "augmentation": "none,strong", "dropout": "0..0.5"}, trials=6,
    )  # fmt: skip
    recipes = grid.recipes(BASE)
    assert len(recipes) == 6
    assert {recipe.seed for recipe in recipes} == {3}
    assert all(isinstance(recipe.batch_size, int) and 16 <= recipe.batch_size <= 256 for recipe in recipes)
    assert {recipe.augmentation for recipe in recipes} == {"none", "strong"}
    assert all(0 <= recipe.dropout <= 0.5 for recipe in recipes)


def test_lists_without_trials_are_combined() -> None:
    grid = Grid(depths=(5, 8), dropouts=(0.5,), batch_norms=(True,), vary={"batch_size": "32,64"})
    assert [(each.depth, each.batch_size) for each in grid.recipes(BASE)] == [
        (5, 32), (5, 64), (8, 32), (8, 64),
    ]  # fmt: skip
    assert grid.planned(BASE) == (4, 80)
    assert in_words(RATES, 20, 0) == (
        "20 draws with seed 0: learning_rate 1e-4..1e-2 (evenly in its logarithm)."
    )


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"vary": RATES}, "say how many trainings to draw"),
        ({"trials": 3}, "say what, with vary"),
        ({"vary": {"learning_rate": "1e-2..1e-4"}, "trials": 2}, "from a smaller number up"),
        ({"vary": {"learning_rate": "0..1"}, "trials": 2}, "above 0"),
        ({"vary": {"learning_rate": "a..b"}, "trials": 2}, "is no range"),
        ({"vary": {"batch_size": " , "}}, "no choice"),
        ({"vary": {"rate": "1,2"}}, "choose from dropout, epochs"),
        ({"vary": {"depth": "1,2"}}, "--depth"),
        ({"vary": {"data": "a,b"}}, "nothing that varies"),
        ({"halving": (5,)}, "two numbers of epochs"),
        ({"halving": (15, 5)}, "larger than the one before"),
        ({"halving": (5, 15), "seeds": 2}, "leave out seeds"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Grid.model_validate({"depths": (8,)} | wrong)


def test_a_value_that_its_field_cannot_have_is_refused() -> None:
    grid = Grid(depths=(8,), vary={"augmentation": "none,loud"})
    with pytest.raises(ValueError, match="augmentation"):
        grid.recipes(BASE)
