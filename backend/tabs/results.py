"""The Results tab. Pure."""

from collections.abc import Mapping, Sequence

from backend.jobs.result import BrokenResult, Result
from backend.sheets.table import Cell, Column, Number, Section, Table, Text
from backend.tabs.names import RESULTS, Rank, run_tab
from backend.times import iso
from models.result import BrokenFile, RunResult


def results_table(
    results: Sequence[Result],
    unreadable: Sequence[BrokenResult] = (),
    broken: Mapping[str, Sequence[BrokenFile]] | None = None,
) -> Table:
    """One row a run, the newest first.

    Args:
        results: of the finished runs.
        unreadable: the finished runs whose result cannot be read.
        broken: other files that cannot be read, by run.
    """
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
    files = broken or {}
    rows = [
        *((result.finished_at, _result_row(result, best, files.get(result.run, ()))) for result in results),
        *((result.finished_at, _unreadable_row(result)) for result in unreadable),
    ]
    newest_first = sorted(rows, key=lambda row: row[0], reverse=True)
    section = Section(
        columns=columns, rows=tuple(row for _, row in newest_first), empty="No training has finished yet."
    )
    return Table(name=RESULTS, rank=Rank.RESULTS, sections=(section,))


def _result_row(result: Result, best: float | None, broken: Sequence[BrokenFile]) -> tuple[Cell, ...]:
    run = result.content
    is_best = run.test_accuracy == best
    return (
        _run(result.run, broken),
        Text(text=run.recipe.title, note=run.recipe.name),
        Number(value=run.test_accuracy, format="accuracy", bold=is_best),
        run.test_accuracy_full_length,
        run.validation_accuracy,
        run.parameters,
        run.epochs,
        run.clips_per_second,
        run.seconds,
        data_name(run),
        result.server,
        result.requested_by,
        iso(result.finished_at),
    )


def _unreadable_row(result: BrokenResult) -> tuple[Cell, ...]:
    recipe = result.recipe
    return (
        _run(result.run, result.broken),
        Text(text=recipe.title, note=recipe.name) if recipe else None,
        *[None] * 8,
        result.server,
        result.requested_by,
        iso(result.finished_at),
    )


def _run(run: str, broken: Sequence[BrokenFile]) -> Text:
    if not broken:
        return Text(text=run, tab=run_tab(run))
    note = "broken: " + "; ".join(f"{each.file}: {each.reason}" for each in broken)
    return Text(text=run, tab=run_tab(run), tone="bad", note=note)


def data_name(run: RunResult) -> Text:
    return Text(text=run.data.name, note="synthetic speech" if run.data.synthetic else "")
