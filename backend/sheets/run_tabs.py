"""What the tabs about results show. Pure: the same facts give the same Table."""

import shlex
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from backend.job import Result, RunResult
from backend.sheets.run_sections import confusion_matrix, first_filters, mistakes, wrong_clips
from backend.sheets.table import Cell, Column, Number, Picture, Section, Spark, Table, Text
from backend.snapshot import iso
from models import published
from models.recipe import Recipe


def results_table(results: Sequence[Result]) -> Table:
    """One row a run, the newest first."""
    columns = (
        Column(title="Run", width=10),
        Column(title="Training", width=30),
        Column(title="Test accuracy", format="accuracy", width=13),
        Column(title="Full-length clips", format="accuracy", width=15),
        Column(title="Validation", format="accuracy", width=11),
        Column(title="Parameters", format="integer", width=12),
        Column(title="Epochs", format="integer", width=8),
        Column(title="Clips/s", format="integer", width=9),
        Column(title="Took", format="seconds", width=12),
        Column(title="Data", width=24),
        Column(title="Server", width=12),
        Column(title="By", width=12),
        Column(title="Finished", format="time", width=18),
    )
    best = max((result.content.test_accuracy for result in results), default=None)
    rows = tuple(_result_row(result, best) for result in results)
    section = Section(columns=columns, rows=rows, empty="No training has finished yet.")
    return Table(name="Results", sections=(section,))


def _result_row(result: Result, best: float | None) -> tuple[Cell, ...]:
    run = result.content
    is_best = run.test_accuracy == best
    return (
        Text(text=result.run, tab=f"Run {result.run}"),
        Text(text=run.recipe.title, note=run.recipe.name),
        Number(value=run.test_accuracy, format="accuracy", bold=is_best),
        run.test_accuracy_full_length,
        run.validation_accuracy,
        run.parameters,
        run.epochs,
        run.clips_per_second,
        run.seconds,
        _data(run),
        result.server,
        result.asked_by,
        iso(result.finished_at),
    )


def _data(run: RunResult) -> Text:
    return Text(text=run.data.name, note="synthetic speech" if run.data.synthetic else "")


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
    rows = [*map(_published_row, published.results()), *map(_measured_row, _by_recipe(results))]
    ranked = tuple(row for _, row in sorted(rows, key=lambda entry: -entry[0]))
    note = (
        f"Published rows are {published.SOURCE}: Speech Commands v0.02, clips of a full second only. "
        "Measured rows on other data are not comparable with them."
    )
    return Table(name="Leaderboard", sections=(Section(note=note, columns=columns, rows=ranked),))


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
        _data(runs[0]),
        train_command(runs[0].recipe),
    )
    return (mean(full) if full else everything), cells


def _by_recipe(results: Sequence[Result]) -> list[list[RunResult]]:
    """Runs that differ in nothing but their seed and label, on the same data."""
    groups: dict[str, list[RunResult]] = {}
    for result in results:
        run = result.content
        same = run.recipe.model_dump_json(exclude={"seed", "name", "data"})
        groups.setdefault(f"{run.data.hash} {same}", []).append(run)
    return list(groups.values())


def train_command(recipe: Recipe) -> str:
    """The shortest command that trains this recipe."""
    words = ["sheetrack", "train", recipe.architecture, "--data", recipe.data]
    for name, value in recipe.model_dump(exclude={"architecture", "data", "name"}).items():
        option = f"--{name.replace('_', '-')}"
        if value == Recipe.model_fields[name].default:
            continue
        if isinstance(value, bool):
            words.append(option if value else f"--no-{option[2:]}")
        else:
            words += [option, f"{value:g}" if isinstance(value, float) else str(value)]
    return shlex.join(words)


def run_table(
    result: Result,
    history: Sequence[dict[str, Any]],
    figures: Sequence[str],
    *,
    predictions: Sequence[dict[str, str]] = (),
    filters: Sequence[dict[str, Any]] = (),
) -> Table:
    """Everything about one run: facts, curve, confusion matrix, filters, wrong clips, pictures."""
    run = result.content
    sections = [
        _facts(result),
        _curves(run, history),
        confusion_matrix(run),
        mistakes(run),
        *first_filters(filters),
        *wrong_clips(run.run, predictions),
    ]
    if figures:
        pictures = tuple(
            Picture(run=run.run, figure=name, alt=f"{name.replace('_', ' ').capitalize()} of run {run.run}")
            for name in figures
        )
        sections.append(Section(title="Pictures", columns=(), pictures=pictures))
    return Table(name=f"Run {run.run}", sections=tuple(sections))


def _facts(result: Result) -> Section:
    run = result.content
    accuracy_note = f"of {run.test_clips:,} clips"
    full_note = f"of {run.test_clips_full_length:,} clips"
    rows: list[tuple[Cell, ...]] = [
        ("Training", Text(text=run.recipe.title, note=run.recipe.name), None),
        ("Test accuracy", Number(value=run.test_accuracy, format="accuracy", bold=True), accuracy_note),
        ("Full-length clips", Number(value=run.test_accuracy_full_length, format="accuracy"), full_note),
        ("Validation", Number(value=run.validation_accuracy, format="accuracy"), _best_epoch(run)),
        ("Parameters", Number(value=run.parameters, format="integer"), None),
        ("Clips/s", Number(value=run.clips_per_second, format="integer"), run.device),
        ("Took", Number(value=run.seconds, format="seconds"), f"{run.epochs} epochs"),
        ("Data", _data(run), None),
        ("Server", result.server, f"asked for by {result.asked_by}"),
        ("Again", train_command(run.recipe), None),
    ]
    if run.data.held_out:
        rows.append(("Held out", run.data.held_out, None))
    rows += [("Notice", notice, None) for notice in run.data.notices]
    columns = (Column(title="Fact", width=18), Column(title="Value", span=2), Column(title="", width=7))
    return Section(title=f"Run {run.run}", columns=columns, rows=tuple(rows))


def _best_epoch(run: RunResult) -> str | None:
    return f"best at epoch {run.best_epoch}, whose weights were tested" if run.best_epoch else None


def _curves(run: RunResult, history: Sequence[dict[str, Any]]) -> Section:
    def row(title: str, key: str, *, is_accuracy: bool) -> tuple[Cell, ...]:
        values = tuple(epoch.get(key) for epoch in history)
        known = [value for value in values if value is not None]
        if not known:
            return (title, None, None, None)
        first, last = (f"{value:.2%}" if is_accuracy else f"{value:.3f}" for value in (known[0], known[-1]))
        spark = Spark(
            values=values,
            low=0 if is_accuracy else None,
            high=1 if is_accuracy else None,
            label=f"{title} over {len(values)} epochs: from {first} to {last}",
        )
        shape = "accuracy" if is_accuracy else "decimal"
        best = max(known) if is_accuracy else min(known)
        return (title, spark, Number(value=known[-1], format=shape), Number(value=best, format=shape))

    return Section(
        title="Learning curve",
        columns=(
            Column(title="Quantity", width=18),
            Column(title=f"Epochs 1 to {len(history) or run.epochs}", span=6),
            Column(title="Last", format="decimal", span=2),
            Column(title="Best", format="decimal", span=2),
        ),
        rows=(
            row("Training loss", "loss", is_accuracy=False),
            row("Validation loss", "validation_loss", is_accuracy=False),
            row("Training accuracy", "train_accuracy", is_accuracy=True),
            row("Validation accuracy", "validation_accuracy", is_accuracy=True),
        ),
        empty="",
    )
