"""The Results tab. Pure."""

from collections.abc import Mapping, Sequence

from backend.jobs.marks import Mark
from backend.jobs.result import BrokenResult, Result, trainings
from backend.sheets.table import Cell, Column, Number, Section, Table, Text
from backend.tabs.choices import choice_cell, choice_column, differing, in_words
from backend.tabs.names import ARCHIVE, RESULTS, Rank, run_tab
from backend.times import iso
from models.result import BrokenFile, ProgramResult, RunResult

_NONE = Mark()


def results_table(
    results: Sequence[Result],
    unreadable: Sequence[BrokenResult] = (),
    broken: Mapping[str, Sequence[BrokenFile]] | None = None,
    marks: Mapping[str, Mark] | None = None,
) -> Table:
    """One row a run that is not archived, the newest first.

    Args:
        results: of the finished runs.
        unreadable: the finished runs whose result cannot be read.
        broken: other files that cannot be read, by run.
        marks: what people note, by run.
    """
    known = marks or {}
    shown = [result for result in results if not known.get(result.run, _NONE).is_archived]
    section = _section(shown, unreadable, broken or {}, known)
    if count := len(results) - len(shown):
        put_aside = f"{count:,} more in the tab {ARCHIVE}."
        section = section.model_copy(update={"note": " ".join(filter(None, (section.note, put_aside)))})
    return Table(name=RESULTS, rank=Rank.RESULTS, sections=(section,))


def archive_table(results: Sequence[Result], marks: Mapping[str, Mark]) -> Table | None:
    """One row a run that people put aside; None where there is none."""
    archived = [result for result in results if marks.get(result.run, _NONE).is_archived]
    if not archived:
        return None
    return Table(name=ARCHIVE, rank=Rank.ARCHIVE, sections=(_section(archived, (), {}, marks),))


def _section(
    results: Sequence[Result],
    unreadable: Sequence[BrokenResult],
    broken: Mapping[str, Sequence[BrokenFile]],
    marks: Mapping[str, Mark],
) -> Section:
    choices, same = differing([run.recipe for _, run in trainings(results)])
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
        *map(choice_column, choices),
        Column(title="Data", width=24),
        Column(title="Server", width=12),
        Column(title="By", width=12),
        Column(title="Finished", format="time", width=18),
        Column(title="Metrics", width=40),
        Column(title="Note", width=30),
    )
    best = max((run.test_accuracy for _, run in trainings(results)), default=None)
    rows = [
        *(
            (
                result.finished_at,
                _result_row(result, best, broken.get(result.run, ()), marks.get(result.run, _NONE), choices),
            )
            for result in results
        ),
        *((result.finished_at, _unreadable_row(result, len(choices))) for result in unreadable),
    ]
    newest_first = sorted(rows, key=lambda row: row[0], reverse=True)
    return Section(
        note=in_words(same),
        columns=columns,
        rows=tuple(row for _, row in newest_first),
        is_list=True,
        empty="No run has finished yet.",
    )


def _result_row(
    result: Result, best: float | None, broken: Sequence[BrokenFile], mark: Mark, choices: Sequence[str]
) -> tuple[Cell, ...]:
    run = result.content
    if isinstance(run, ProgramResult):
        return _program_row(result, run, broken, mark, len(choices))
    is_best = run.test_accuracy == best
    return (
        _run(result.run, broken, mark),
        Text(text=run.recipe.title, note=mark.name or run.recipe.name),
        Number(value=run.test_accuracy, format="accuracy", bold=is_best),
        run.test_accuracy_full_length,
        run.validation_accuracy,
        run.parameters,
        run.epochs,
        run.clips_per_second,
        run.seconds,
        *(choice_cell(run.recipe, name) for name in choices),
        data_name(run),
        result.server,
        result.requested_by,
        iso(result.finished_at),
        None,
        mark.note or None,
    )


def _program_row(
    result: Result, run: ProgramResult, broken: Sequence[BrokenFile], mark: Mark, choices: int
) -> tuple[Cell, ...]:
    """The metrics that a training has too stand in its columns, the others as text."""
    validation, parameters, epochs = (
        number_of(run.metrics, *names)
        for names in (("validation_accuracy", "val_accuracy"), ("parameters",), ("epochs",))
    )
    return (
        _run(result.run, broken, mark),
        Text(text=run.title, note=mark.name),
        run.accuracy,
        None,
        validation,
        parameters,
        epochs,
        None,
        run.seconds,
        *[None] * choices,
        None,
        result.server,
        result.requested_by,
        iso(result.finished_at),
        metrics_in_words(run.metrics) or None,
        mark.note or None,
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


def _unreadable_row(result: BrokenResult, choices: int) -> tuple[Cell, ...]:
    work = result.work
    return (
        _run(result.run, result.broken),
        Text(text=work.title, note=work.name) if work else None,
        *[None] * (8 + choices),
        result.server,
        result.requested_by,
        iso(result.finished_at),
        None,
        None,
    )


def _run(run: str, broken: Sequence[BrokenFile], mark: Mark = _NONE) -> Text:
    if not broken:
        return Text(text=run, tab=run_tab(run), note="★" if mark.is_starred else "")
    note = "broken: " + "; ".join(f"{each.file}: {each.reason}" for each in broken)
    return Text(text=run, tab=run_tab(run), tone="bad", note=note)


def data_name(run: RunResult) -> Text:
    return Text(text=run.data.name, note="synthetic speech" if run.data.synthetic else "")
