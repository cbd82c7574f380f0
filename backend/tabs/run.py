"""The tab of a run. Pure."""

from collections.abc import Sequence

from backend.jobs.result import BrokenResult, Result
from backend.sheets.table import Cell, Column, Number, Picture, Section, Spark, Table, Text
from backend.tabs.choices import epochs_told
from backend.tabs.explain import explanations_section
from backend.tabs.leaderboard import train_command
from backend.tabs.names import Rank, run_tab
from backend.tabs.program_run import program_curves, program_facts
from backend.tabs.results import data_name
from backend.tabs.run_sections import (
    broken_files,
    confusion_matrix,
    confusions,
    first_filters,
    tested_on,
    wrong_predictions,
)
from models.explanation import Explanation, is_explanation_picture
from models.result import (
    BrokenFile,
    Epoch,
    Evaluation,
    Filter,
    MetricLine,
    Prediction,
    ProgramResult,
    RunResult,
)


def run_table(
    result: Result,
    history: Sequence[Epoch],
    figures: Sequence[str],
    *,
    predictions: Sequence[Prediction] = (),
    filters: Sequence[Filter] = (),
    broken: Sequence[BrokenFile] = (),
    metrics: Sequence[MetricLine] = (),
    evaluations: Sequence[Evaluation] = (),
    explanations: Sequence[Explanation] = (),
) -> Table:
    """Everything about one run: facts, broken files, curve, confusion matrix, filters, wrong clips, pictures.

    `metrics` are the lines of the history of a program of the lab's own.
    """
    run = result.content
    if isinstance(run, ProgramResult):
        sections = [*program_facts(result, run), *broken_files(broken), *program_curves(metrics)]
    else:
        sections = [
            _facts(result, run),
            *broken_files(broken),
            *tested_on(evaluations),
            _curves(run, history),
        ]
    if run.confusion_matrix is not None:
        sections += [confusion_matrix(run, run.confusion_matrix), confusions(run, run.confusion_matrix)]
    sections += [*first_filters(filters), *explanations_section(explanations)]
    # Those of analyses stand in their own tabs.
    if figures := [name for name in figures if not is_explanation_picture(name)]:
        pictures = tuple(
            Picture(
                run=result.run,
                figure=name,
                alt=f"{name.replace('_', ' ').capitalize()} of run {result.run}",
            )
            for name in figures
        )
        sections.append(Section(title="Pictures", columns=(), pictures=pictures))
    sections += wrong_predictions(result.run, predictions)
    return Table(
        name=run_tab(result.run), rank=Rank.RUN.newest_first(result.finished_at), sections=tuple(sections)
    )


def unreadable_run_table(result: BrokenResult) -> Table:
    """What is known of a run whose result cannot be read, and why it cannot."""
    recipe, work = result.recipe, result.work
    rows: tuple[tuple[Cell, ...], ...] = (
        ("Training", Text(text=work.title, note=work.name) if work else None),
        ("Server", result.server),
        ("Requested by", result.requested_by),
        ("Again", Text(text=train_command(recipe), is_command=True) if recipe else None),
    )
    columns = (Column(title="Fact", width=18), Column(title="Value", span=2))
    facts = Section(title=f"Run {result.run}", columns=columns, rows=rows)
    return Table(
        name=run_tab(result.run),
        rank=Rank.RUN.newest_first(result.finished_at),
        sections=(facts, *broken_files(result.broken)),
    )


def _facts(result: Result, run: RunResult) -> Section:
    accuracy_note = f"of {run.test_clips:,} clips"
    full_note = f"of {run.test_clips_full_length:,} clips"
    rows: list[tuple[Cell, ...]] = [
        ("Training", Text(text=run.recipe.title, note=run.recipe.name), None),
        ("Test accuracy", Number(value=run.test_accuracy, format="accuracy", bold=True), accuracy_note),
        ("Full-length clips", Number(value=run.test_accuracy_full_length, format="accuracy"), full_note),
        ("Validation", Number(value=run.validation_accuracy, format="accuracy"), _best_epoch(run)),
        ("Parameters", Number(value=run.parameters, format="integer"), None),
        ("Clips/s", Number(value=run.clips_per_second, format="integer"), run.device),
        ("Took", Number(value=run.seconds, format="seconds"), epochs_told(run.epochs)),
        ("Data", data_name(run), None),
        ("Server", result.server, f"requested by {result.requested_by}"),
        ("Again", Text(text=train_command(run.recipe), is_command=True), None),
    ]
    if run.recipe.parent:
        rows.insert(1, ("Goes on from", Text(text=run.recipe.parent, tab=run_tab(run.recipe.parent)), None))
    if run.data.held_out:
        rows.append(("Held out", run.data.held_out, None))
    rows += [("Notice", notice, None) for notice in run.data.notices]
    columns = (Column(title="Fact", width=18), Column(title="Value", span=2), Column(title="", width=7))
    return Section(title=f"Run {result.run}", columns=columns, rows=tuple(rows))


def _best_epoch(run: RunResult) -> str | None:
    return f"best at epoch {run.best_epoch}, whose weights were tested" if run.best_epoch else None


def _curves(run: RunResult, history: Sequence[Epoch]) -> Section:
    def row(title: str, field: str, *, is_accuracy: bool) -> tuple[Cell, ...]:
        values = tuple(getattr(epoch, field) for epoch in history)
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
