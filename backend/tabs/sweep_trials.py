"""A sweep whose trainings differ in more than depth, dropout and batch norm: a row a training. Pure."""

from collections.abc import Sequence

from backend.jobs.job import JobState
from backend.jobs.sweep import Sweep, SweepCell
from backend.jobs.vary import in_words
from backend.sheets.table import Cell, Column, Number, Section, Text
from backend.tabs.choices import epochs_told
from backend.tabs.names import run_tab
from models.recipe import exact


def trials_section(sweep: Sweep, cells: Sequence[SweepCell], title: str, note: str) -> Section:
    """The best first: those on the highest rung of successive halving, then by validation accuracy."""
    places = ("depth", "dropout", "batch_norm")
    differing = [name for name in places if len({getattr(cell, name) for cell in cells}) > 1]
    varied = [name for name in sorted(sweep.grid.vary) if name not in differing]
    best = max((cell.accuracy for cell in cells if cell.accuracy is not None), default=None)
    ranked = sorted(cells, key=lambda cell: (-(cell.epochs or 0), -(cell.validation_accuracy or -1)))
    has_rungs = bool(sweep.grid.halving)
    how = [in_words(sweep.grid.vary, sweep.grid.trials, sweep.recipe.seed)] if sweep.grid.vary else []
    if has_rungs:
        rungs = ", ".join(map(str, sweep.grid.halving))
        how.append(f"Successive halving over {rungs} epochs: the best by validation accuracy go on.")

    def row(cell: SweepCell) -> tuple[Cell, ...]:
        values = {**cell.varied, **{name: getattr(cell, name) for name in differing}}
        return (
            *(_value(values[name]) for name in (*differing, *varied)),
            *((cell.epochs,) if has_rungs else ()),
            Number(value=cell.validation_accuracy, format="accuracy"),
            Number(
                value=cell.accuracy,
                format="accuracy",
                bold=cell.accuracy is not None and cell.accuracy == best,
            ),
            _state(sweep, cell),
            Text(text=cell.runs[0], tab=run_tab(cell.runs[0])) if cell.runs else None,
        )

    return Section(
        title=title,
        note=" ".join([note, *how]),
        columns=(
            *(Column(title=name.replace("_", " ").capitalize(), width=14) for name in (*differing, *varied)),
            *((Column(title="Rung (epochs)", format="integer", width=12),) if has_rungs else ()),
            Column(title="Validation", format="accuracy", width=11),
            Column(title="Test", format="accuracy", width=11),
            Column(title="State", width=30),
            Column(title="Run", width=10),
        ),
        rows=tuple(map(row, ranked)),
        empty="",
    )


def _value(value: bool | float | str | None) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return exact(value) if isinstance(value, int | float) else value


def _state(sweep: Sweep, cell: SweepCell) -> Cell:
    if cell.is_dropped and (cell.job is None or cell.job.state.is_over):
        return Text(
            text=f"dropped after {epochs_told(cell.epochs or 0)}" if cell.runs else "failed, dropped",
            tone="soft",
        )
    if cell.job:
        is_paused = sweep.paused_by and cell.job.state is JobState.QUEUED
        state = "paused" if is_paused else cell.job.state.in_words
        return Text(
            text=state, note=cell.job.reason, tone="bad" if cell.job.state is JobState.FAILED else None
        )
    return "goes on" if cell.is_due else "done" if cell.runs else "not run"
