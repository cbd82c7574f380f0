"""The Leaderboard tab."""

import pytest

from backend.sheets.table import Number, Text
from backend.tabs.leaderboard import leaderboard_table, train_command
from models.recipe import Recipe
from tests import examples
from tests.tabs.rows import named


def test_the_leaderboard_joins_seeds_and_stands_beside_the_published_rows() -> None:
    seeds = [
        examples.result(f"r{seed}", accuracy, recipe=examples.recipe(seed=seed, name=f"try {seed}"))
        for seed, accuracy in enumerate((0.8, 0.9))
    ]
    section = leaderboard_table(seeds).sections[0]
    rows = [named(section, place) for place in range(len(section.rows))]
    measured = [row for row in rows if row["Source"] == Text(text="measured", tone="good")]
    assert len(measured) == 1
    assert measured[0]["Runs"] == 2
    shown = measured[0]["Full-length clips"]
    assert isinstance(shown, Number)
    assert shown.value == pytest.approx(0.85)
    assert measured[0]["± over seeds"] == pytest.approx(0.0707, abs=1e-4)
    assert len(rows) == 17 + 1
    assert rows[0]["Full-length clips"] == 0.9701


def test_the_command_of_a_recipe_names_what_differs_from_the_defaults() -> None:
    recipe = Recipe(data="/data/my speech", architecture="vgg", batch_norm=False, seed=3)
    assert train_command(recipe) == "sheetrack train vgg --data '/data/my speech' --no-batch-norm --seed 3"
