"""The sections of a run's tab that a program of the lab's own fills. Pure."""

from collections.abc import Sequence

from backend.jobs.result import Result
from backend.sheets.table import Cell, Column, Number, Section, Spark
from backend.tabs.results import metric_in_words
from models.program_history import curves
from models.result import MetricLine, ProgramResult

_SHOWN_CURVES = 40
_MOST_POINTS = 1000


def program_facts(result: Result, run: ProgramResult) -> list[Section]:
    """What ran where and when, and every metric."""
    rows: list[tuple[Cell, ...]] = [("Program" if run.command else "Recorded", run.title)]
    if run.accuracy is not None:
        rows.append(("Accuracy", Number(value=run.accuracy, format="accuracy", bold=True)))
    rows += [
        (name, metric_in_words(value))
        for name, value in run.metrics.items()
        if not _is_shown(name, value, run)
    ]
    if run.command:
        command = run.command
        rows.append(("Command", " ".join(command.command.split())))
        rows.append(("Folder", command.folder))
        if command.environment:
            rows.append(("Environment", command.environment))
    if run.seconds is not None:
        rows.append(("Took", Number(value=run.seconds, format="seconds")))
    rows += [("Server", result.server), ("Requested by", result.requested_by)]
    rows += [("Notice", notice) for notice in run.notices]
    columns = (Column(title="Fact", width=18), Column(title="Value", span=2))
    return [Section(title=f"Run {result.run}", columns=columns, rows=tuple(rows))]


def program_curves(lines: Sequence[MetricLine]) -> list[Section]:
    """A curve for each name in the history; no section where there is none."""
    names = curves(lines)
    if not names:
        return []
    rest = len(names) - _SHOWN_CURVES
    return [
        Section(
            title="History",
            note=f"{rest} more names are not shown." if rest > 0 else "",
            columns=(
                Column(title="Quantity", width=18),
                Column(title=f"Lines 1 to {len(lines):,}", span=6),
                Column(title="Last", format="decimal", span=2),
                Column(title="Lowest", format="decimal", span=2),
                Column(title="Highest", format="decimal", span=2),
            ),
            rows=tuple(_curve(name, lines) for name in names[:_SHOWN_CURVES]),
        )
    ]


def _curve(name: str, lines: Sequence[MetricLine]) -> tuple[Cell, ...]:
    step = -(-len(lines) // _MOST_POINTS)
    values = tuple(line.get(name) for line in lines[::step])
    known = [line[name] for line in lines if name in line]
    label = f"{name} over {len(lines):,} lines: from {known[0]:.4g} to {known[-1]:.4g}"
    return (name, Spark(values=values, label=label), known[-1], min(known), max(known))


def _is_shown(name: str, value: float | str | None, run: ProgramResult) -> bool:
    """Whether the metric is the accuracy, which has its own row."""
    return name in ("accuracy", "test_accuracy") and value == run.accuracy
