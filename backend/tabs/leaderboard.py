"""The Leaderboard tab. Pure."""

import shlex
from collections.abc import Sequence
from statistics import mean, stdev

from backend.jobs.result import Result, trainings
from backend.sheets.table import Cell, Column, Number, Section, Table, Text
from backend.tabs.names import LEADERBOARD, Rank
from backend.tabs.results import data_name
from models import published
from models.recipe import FILLED_IN, Recipe, exact
from models.result import RunResult


def leaderboard_table(results: Sequence[Result]) -> Table:
    """Published and measured rows together, the best first; measured ones over all their seeds."""
    columns = (
        Column(title="Training", width=26),
        Column(title="Source", width=12),
        Column(title="Full-length clips", format="accuracy", width=15),
        Column(title="± over seeds", format="accuracy", width=12),
        Column(title="All clips", format="accuracy", width=10),
        Column(title="Runs", format="integer", width=6),
        Column(title="Parameters", format="integer", width=12),
        Column(title="Clips/s", format="integer", width=9),
        Column(title="Data", width=24),
        Column(title="Again", width=60),
    )
    rows = [
        *map(_published_row, published.results()),
        *map(_measured_row, _by_recipe([run for _, run in trainings(results)])),
    ]
    ranked = tuple(row for _, row in sorted(rows, key=lambda entry: -entry[0]))
    note = (
        f"Published rows are {published.SOURCE}: Speech Commands v0.02, clips of a full second only. "
        "Measured rows on other data are not comparable with them."
    )
    return Table(
        name=LEADERBOARD,
        rank=Rank.LEADERBOARD,
        sections=(Section(note=note, columns=columns, rows=ranked),),
    )


def _published_row(row: published.PublishedResult) -> tuple[float, tuple[Cell, ...]]:
    recipe = Recipe(
        architecture=row.architecture,
        depth=row.depth,
        dropout=row.dropout,
        batch_norm=row.batch_norm,
        data="speech-commands",
    )
    parameters = published.PARAMETERS.get((row.architecture, row.depth, row.batch_norm))
    source = Text(text="published", tone="soft")
    cells = (
        recipe.title,
        source,
        row.accuracy,
        None,
        None,
        None,
        parameters,
        None,
        "Speech Commands v0.02",
        None,
    )
    return row.accuracy, cells


def _measured_row(runs: list[RunResult]) -> tuple[float, tuple[Cell, ...]]:
    full = [run.test_accuracy_full_length for run in runs if run.test_accuracy_full_length is not None]
    everything = mean(run.test_accuracy for run in runs)
    speeds = [run.clips_per_second for run in runs if run.clips_per_second]
    cells = (
        runs[0].recipe.title,
        Text(text="measured", tone="good"),
        Number(value=mean(full), format="accuracy", bold=True) if full else None,
        stdev(full) if len(full) > 1 else None,
        everything,
        len(runs),
        runs[0].parameters,
        mean(speeds) if speeds else None,
        data_name(runs[0]),
        train_command(runs[0].recipe),
    )
    return (mean(full) if full else everything), cells


def _by_recipe(runs: Sequence[RunResult]) -> list[list[RunResult]]:
    """Runs that differ in nothing but their seed and label, on the same data."""
    groups: dict[str, list[RunResult]] = {}
    for run in runs:
        same = run.recipe.model_dump_json(exclude={"seed", "name", "data"})
        groups.setdefault(f"{run.data.hash} {same}", []).append(run)
    return list(groups.values())


def train_command(recipe: Recipe) -> str:
    """The shortest command that trains this recipe."""
    words = ["sheetrack", "train", recipe.architecture, "--data", recipe.data]
    for name, value in recipe.model_dump(exclude={"architecture", "data", "name", *FILLED_IN}).items():
        option = f"--{name.replace('_', '-')}"
        if value == Recipe.model_fields[name].default:
            continue
        if isinstance(value, bool):
            words.append(option if value else f"--no-{option[2:]}")
        else:
            words += [option, exact(value) if isinstance(value, float) else str(value)]
    return shlex.join(words)
