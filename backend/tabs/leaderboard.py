"""The Leaderboard tab. Pure."""

import shlex
from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from backend.jobs.marks import Mark
from backend.jobs.result import Result, trainings
from backend.sheets.table import Cell, Column, Number, Section, Table, Text
from backend.tabs.choices import CHOICES, choice_cell, choice_column, differing, in_words
from backend.tabs.names import LEADERBOARD, Rank, run_tab
from backend.tabs.results import data_name
from models import published
from models.recipe import FILLED_IN, Recipe, exact
from models.result import RunResult


def leaderboard_table(results: Sequence[Result], marks: Mapping[str, Mark] | None = None) -> Table:
    """Published and measured rows, the best first; measured ones over all their seeds, with the runs as details.

    Real and synthetic speech are ranked apart; archived runs take no part.
    """
    known = marks or {}
    runs = [
        (result, run) for result, run in trainings(results) if not known.get(result.run, Mark()).is_archived
    ]
    groups = _by_recipe(runs)
    real = [group for group in groups if not group[0][1].data.synthetic]
    synthetic = [group for group in groups if group[0][1].data.synthetic]
    note = (
        f"Published rows are {published.SOURCE}: Speech Commands v0.02, clips of a full second only. "
        "Measured rows on other data are not comparable with them."
    )
    choices, same = _choices(real)
    first = [
        *((row.accuracy, [_published_row(row, len(choices))]) for row in published.results()),
        *(_measured_rows(group, choices) for group in real),
    ]
    sections = [_ranked("Real speech", " ".join(filter(None, (note, same))), choices, first)]
    if synthetic:
        choices, same = _choices(synthetic)
        rows = [_measured_rows(group, choices) for group in synthetic]
        sections.append(_ranked("Synthetic speech", same, choices, rows))
    return Table(name=LEADERBOARD, rank=Rank.LEADERBOARD, sections=tuple(sections))


_Row = tuple[Cell, ...]


def _choices(groups: Sequence[Sequence[tuple[Result, RunResult]]]) -> tuple[list[str], str]:
    """The fields in which the recipes of measured rows differ, and the others in words."""
    recipes = [group[0][1].recipe for group in groups]
    choices, same = differing(recipes, ["epochs", *(name for name in CHOICES if name != "seed")])
    return choices, in_words(same, "measured rows")


def _ranked(
    title: str, note: str, choices: Sequence[str], groups: Sequence[tuple[float, list[_Row]]]
) -> Section:
    """The groups by their accuracy; the first row of each stands for the others."""
    ordered = [rows for _, rows in sorted(groups, key=lambda entry: -entry[0])]
    return Section(
        title=title,
        note=note,
        columns=(
            Column(title="Training", width=26),
            Column(title="Source", width=12),
            Column(title="Full-length clips", format="accuracy", width=20),
            Column(title="All clips", format="accuracy", width=20),
            Column(title="Runs", format="integer", width=6),
            Column(title="Parameters", format="integer", width=12),
            Column(title="Clips/s", format="integer", width=9),
            *map(choice_column, choices),
            Column(title="Data", width=24),
            Column(title="Again", width=60),
        ),
        rows=tuple(row for rows in ordered for row in rows),
        levels=tuple(int(place > 0) for rows in ordered for place, _ in enumerate(rows)),
        is_list=True,
    )


def _published_row(row: published.PublishedResult, choices: int) -> _Row:
    recipe = Recipe(
        architecture=row.architecture,
        depth=row.depth,
        dropout=row.dropout,
        batch_norm=row.batch_norm,
        data="speech-commands",
    )
    parameters = published.PARAMETERS.get((row.architecture, row.depth, row.batch_norm))
    source = Text(text="published", tone="soft")
    unknown = [None] * choices
    return (
        recipe.title, source, row.accuracy, None, None, parameters, None, *unknown, "Speech Commands v0.02", None
    )  # fmt: skip


def _measured_rows(
    group: Sequence[tuple[Result, RunResult]], choices: Sequence[str]
) -> tuple[float, list[_Row]]:
    """The row of a recipe, and below it one for each of its runs where there are several."""
    runs = [run for _, run in group]
    full = [run.test_accuracy_full_length for run in runs if run.test_accuracy_full_length is not None]
    everything = [run.test_accuracy for run in runs]
    speeds = [run.clips_per_second for run in runs if run.clips_per_second]
    newest = max((result for result, _ in group), key=lambda result: result.finished_at)
    is_alone = len(runs) == 1
    row: _Row = (
        Text(text=runs[0].recipe.title, tab=run_tab(newest.run) if is_alone else None),
        Text(text="measured", tone="good"),
        mean_of(full, bold=True),
        mean_of(everything),
        len(runs),
        runs[0].parameters,
        mean(speeds) if speeds else None,
        *(choice_cell(runs[0].recipe, name) for name in choices),
        data_name(runs[0]),
        Text(text=train_command(runs[0].recipe), is_command=True),
    )
    details = [] if is_alone else [_detail(result, run, choices) for result, run in group]
    return (mean(full or everything), [row, *details])


def _detail(result: Result, run: RunResult, choices: Sequence[str]) -> _Row:
    return (
        Text(text=result.run, tab=run_tab(result.run), note=f"seed {run.recipe.seed}"),
        None,
        run.test_accuracy_full_length,
        run.test_accuracy,
        None,
        run.parameters,
        run.clips_per_second,
        *(choice_cell(run.recipe, name) for name in choices),
        data_name(run),
        Text(text=train_command(run.recipe), is_command=True),
    )


def mean_of(values: Sequence[float], *, bold: bool = False) -> Number | None:
    """Accuracies as `mean ± standard deviation (n)`; a single one has no deviation."""
    if not values:
        return None
    spread = stdev(values) if len(values) > 1 else None
    return Number(value=mean(values), format="accuracy", bold=bold, spread=spread, count=len(values))


def _by_recipe(runs: Sequence[tuple[Result, RunResult]]) -> list[list[tuple[Result, RunResult]]]:
    """Runs that differ in nothing but their seed and label, on the same data."""
    groups: dict[str, list[tuple[Result, RunResult]]] = {}
    for result, run in runs:
        same = run.recipe.model_dump_json(exclude={"seed", "name", "data"})
        groups.setdefault(f"{run.data.hash} {same}", []).append((result, run))
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
