"""The Results tab. Pure."""

from collections.abc import Sequence

from backend.jobs.result import Result, RunResult
from backend.sheets.table import Cell, Column, Number, Section, Table, Text
from backend.tabs.names import RESULTS, Rank, run_tab
from backend.times import iso


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
    return Table(name=RESULTS, rank=Rank.RESULTS, sections=(section,))


def _result_row(result: Result, best: float | None) -> tuple[Cell, ...]:
    run = result.content
    is_best = run.test_accuracy == best
    return (
        Text(text=result.run, tab=run_tab(result.run)),
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


def data_name(run: RunResult) -> Text:
    return Text(text=run.data.name, note="synthetic speech" if run.data.synthetic else "")
