"""The Leaderboard tab."""

import pytest

from backend.jobs.marks import Mark
from backend.sheets.table import Number, Text
from backend.tabs.leaderboard import leaderboard_table, train_command
from models.recipe import Recipe
from models.result import DataFacts
from tests import examples
from tests.tabs.rows import named


def test_seeds_of_a_recipe_are_one_row_that_opens_to_its_runs() -> None:
    seeds = [
        examples.result(f"r{seed}", accuracy, recipe=examples.recipe(seed=seed, name=f"try {seed}"))
        for seed, accuracy in enumerate((0.8, 0.9))
    ]
    put_aside = examples.result("r9", 0.1, recipe=examples.recipe(seed=9))
    real, synthetic = leaderboard_table([*seeds, put_aside], {"r9": Mark(is_archived=True)}).sections
    assert (len(real.rows), named(real)["Full-length clips"]) == (17, 0.9701)
    assert synthetic.levels == (0, 1, 1)
    assert named(synthetic)["Source"] == Text(text="measured", tone="good")
    assert named(synthetic)["Runs"] == 2
    shown = named(synthetic)["Full-length clips"]
    assert isinstance(shown, Number)
    assert shown.value == pytest.approx(0.85)
    assert shown.count == 2
    assert shown.spread == pytest.approx(0.0707, abs=1e-4)
    assert [row[0] for row in synthetic.rows[1:]] == [
        Text(text=f"r{seed}", tab=f"Run r{seed}", note=f"seed {seed}") for seed in range(2)
    ]


def test_real_and_synthetic_speech_are_ranked_apart() -> None:
    speech = DataFacts(name="speech16", hash="5e1f", synthetic=False)
    real, synthetic = leaderboard_table(
        [examples.result("r1", 0.9, data=speech), examples.result("r2", 1.0)]
    ).sections
    assert Text(text="ch32 · 8 · DO(0.75)", tab="Run r1") in [row[0] for row in real.rows]
    assert len(real.rows) == 17 + 1
    assert [row[0] for row in synthetic.rows] == [Text(text="ch32 · 8 · DO(0.75)", tab="Run r2")]


def test_trainings_that_differ_in_their_epochs_alone_can_be_told_apart() -> None:
    results = [
        examples.result(f"r{epochs}", epochs / 100, recipe=examples.recipe(epochs=epochs))
        for epochs in (5, 15)
    ]
    synthetic = leaderboard_table(results).sections[-1]
    assert [named(synthetic, row)["Epochs"] for row in range(2)] == [15, 5]
    assert "epochs 5 ·" in leaderboard_table(results[:1]).sections[-1].note


def test_the_command_of_a_recipe_names_what_differs_from_the_defaults() -> None:
    recipe = Recipe(data="/data/my speech", architecture="vgg", batch_norm=False, seed=3)
    assert train_command(recipe) == "sheetrack train vgg --data '/data/my speech' --no-batch-norm --seed 3"
