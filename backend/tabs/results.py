"""The Results tab. Pure."""

from collections.abc import Mapping, Sequence

from backend.jobs.result import BrokenResult, Result, trainings
from backend.sheets.table import Cell, Column, Number, Section, Table, Text
from backend.tabs.names import RESULTS, Rank, run_tab
from backend.times import iso
from models.result import BrokenFile, ProgramResult, RunResult


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
        Column(title="Metrics", width=40),
    )
    best = max((run.test_accuracy for _, run in trainings(results)), default=None)
    files = broken or {}
    rows = [
        *((result.finished_at, _result_row(result, best, files.get(result.run, ()))) for result in results),
        *((result.finished_at, _unreadable_row(result)) for result in unreadable),
    ]
    newest_first = sorted(rows, key=lambda row: row[0], reverse=True)
    section = Section(
        columns=columns, rows=tuple(row for _, row in newest_first), empty="No run has finished yet."
    )
    return Table(name=RESULTS, rank=Rank.RESULTS, sections=(section,))


def _result_row(result: Result, best: float | None, broken: Sequence[BrokenFile]) -> tuple[Cell, ...]:
    run = result.content
    if isinstance(run, ProgramResult):
        return _program_row(result, run, broken)
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
        None,
    )


def _program_row(result: Result, run: ProgramResult, broken: Sequence[BrokenFile]) -> tuple[Cell, ...]:
    """The metrics that a training has too stand in its columns, the others as text."""
    validation, parameters, epochs = (
        number_of(run.metrics, *names)
        for names in (("validation_accuracy", "val_accuracy"), ("parameters",), ("epochs",))
    )
    return (
        _run(result.run, broken),
        run.title,
        run.accuracy,
        None,
        validation,
        parameters,
        epochs,
        None,
        run.seconds,
        None,
        result.server,
        result.requested_by,
        iso(result.finished_at),
        metrics_in_words(run.metrics) or None,
    )


def number_of(metrics: Mapping[str, float | str | None], *names: str) -> float | None:
    """The first metric of these names that is a number."""
    values = (metrics.get(name) for name in names)
    return next((value for value in values if isinstance(value, int | float)), None)


def metrics_in_words(metrics: Mapping[str, float | str | None]) -> str:
    """Such as `accuracy 0.93 · f1 0.91`."""
    return " · ".join(f"{name} {metric_in_words(value)}" for name, value in metrics.items())


def metric_in_words(value: float | str | None) -> str:
    """A number with up to six significant digits; whole numbers exactly."""
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value == int(value) and abs(value) < 2**53 else f"{value:.6g}"


def _unreadable_row(result: BrokenResult) -> tuple[Cell, ...]:
    work = result.work
    return (
        _run(result.run, result.broken),
        Text(text=work.title, note=work.name) if work else None,
        *[None] * 8,
        result.server,
        result.requested_by,
        iso(result.finished_at),
        None,
    )


def _run(run: str, broken: Sequence[BrokenFile]) -> Text:
    if not broken:
        return Text(text=run, tab=run_tab(run))
    note = "broken: " + "; ".join(f"{each.file}: {each.reason}" for each in broken)
    return Text(text=run, tab=run_tab(run), tone="bad", note=note)


def data_name(run: RunResult) -> Text:
    return Text(text=run.data.name, note="synthetic speech" if run.data.synthetic else "")
