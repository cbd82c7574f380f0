"""What the tabs of swept architectures show, in the layout of the published tables. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence

from backend.jobs.job import Job, JobState
from backend.jobs.sweep import Sweep, SweepCell, SweepView
from backend.sheets.table import Cell, Column, Number, Section, Table, Text, Tone
from backend.tabs.choices import epochs_told
from backend.tabs.names import Rank, run_tab, sweeps_tab
from backend.tabs.sweep_trials import trials_section
from models import published
from models.recipe import Recipe, exact

_TONES: dict[JobState, Tone] = {
    JobState.RUNNING: "busy",
    JobState.CANCELLING: "busy",
    JobState.LOST: "overloaded",
    JobState.FAILED: "bad",
    JobState.TIMED_OUT: "bad",
}
_NEVER_RUN = Text(text="X", tone="soft")

Choice = tuple[float, bool]
"""A column: dropout, and whether with batch norm."""


class FineTuning:
    """The tabs of all sweeps, one an architecture. A table is made again when one of its sweeps changed."""

    def __init__(self, views: Callable[[], Sequence[SweepView]]) -> None:
        """`views` returns the same object as before for a sweep that did not change."""
        self._views = views
        self._made: dict[str, tuple[list[SweepView], Table]] = {}

    def tables(self) -> list[Table]:
        """The tables; the same object as before where nothing changed."""
        groups: dict[str, list[SweepView]] = {}
        for view in self._views():
            groups.setdefault(view.recipe.architecture, []).append(view)
        before, self._made = self._made, {}
        for architecture, views in groups.items():
            known, table = before.get(architecture, ([], None))
            if table is None or [*map(id, known)] != [*map(id, views)]:
                table = fine_tuning_table(architecture, views)
            self._made[architecture] = (views, table)
        return [table for _, table in self._made.values()]


def fine_tuning_table(architecture: str, sweeps: Sequence[SweepView]) -> Table:
    """The sweeps of one architecture: depths by dropout and batch norm, beside the published numbers."""
    sections = [section for sweep in sweeps for section in _sections(sweep, sweep.cells)]
    return Table(name=sweeps_tab(architecture), rank=Rank.SWEEPS, sections=tuple(sections))


def _sections(sweep: Sweep, cells: Sequence[SweepCell]) -> list[Section]:
    if sweep.grid.vary or sweep.grid.halving:
        title = f"{sweep.recipe.architecture} on {_data(sweep)}"
        note = f"{_standing(sweep, cells)} On {sweep.server}, asked for by {sweep.requested_by}."
        return [trials_section(sweep, cells, title, note)]
    full_length = all(cell.accuracy_full_length is not None for cell in cells if cell.runs)
    places = {(cell.depth, (cell.dropout, cell.batch_norm)): cell for cell in cells}
    accuracies = {
        place: cell.accuracy_full_length if full_length else cell.accuracy for place, cell in places.items()
    }
    best = max((value for value in accuracies.values() if value is not None), default=None)
    choices = sorted({choice for _, choice in places})
    depths = sorted(sweep.layers)

    def measured(depth: int, choice: Choice) -> Cell:
        value, cell = accuracies.get((depth, choice)), places.get((depth, choice))
        if value is not None and cell:
            tab = run_tab(cell.runs[0])
            return Number(value=value, format="accuracy", bold=value == best, tab=tab)
        return _stage(cell.job, sweep.paused_by) if cell and cell.job else _NEVER_RUN

    grid = Section(
        title=f"{sweep.recipe.architecture} on {_data(sweep)}",
        note=f"{_standing(sweep, cells)} {_accuracy(sweep, full_length)} {_base(sweep)}",
        columns=(
            _depth_column(),
            *(Column(title=_title(choice), format="accuracy", width=14, heat=True) for choice in choices),
        ),
        rows=tuple(
            (_row_title(sweep, depth), *(measured(depth, choice) for choice in choices)) for depth in depths
        ),
        heat="good",
    )
    known = {
        (cell.depth, (cell.dropout, cell.batch_norm)): cell.accuracy
        for cell in published.fine_tuning(sweep.recipe.architecture)
    }
    common = [choice for choice in choices if choice in {choice for _, choice in known}]
    if not common or sweep.preparing or sweep.fault:
        return [grid]

    def beside(depth: int, choice: Choice) -> tuple[Cell, ...]:
        ours, theirs = accuracies.get((depth, choice)), known.get((depth, choice))
        difference = None if ours is None or theirs is None else ours - theirs
        return (measured(depth, choice), _NEVER_RUN if theirs is None else theirs, difference)

    return [
        grid,
        Section(
            title="Beside the published numbers",
            note=(
                f"Published: {published.SOURCE}, sixteen words of Speech Commands v0.02, clips of a full second. "
                "Only numbers measured on the same data are comparable. X: not run."
            ),
            columns=(
                _depth_column(),
                *(column for choice in common for column in _beside_columns(choice)),
            ),
            rows=tuple(
                (_row_title(sweep, depth), *(cell for choice in common for cell in beside(depth, choice)))
                for depth in depths
            ),
        ),
    ]


def _depth_column() -> Column:
    return Column(title="Depth, last layer", width=18)


def _beside_columns(choice: Choice) -> tuple[Column, ...]:
    return (
        Column(title=_title(choice), format="accuracy", width=14),
        Column(title="published", format="accuracy", width=10),
        Column(title="difference", format="points", width=10),
    )


def _row_title(sweep: Sweep, depth: int) -> str:
    return f"{depth} {sweep.layers[depth]}"


def _title(choice: Choice) -> str:
    dropout, batch_norm = choice
    return f"DO({exact(dropout)}){'+BN' if batch_norm else ''}"


def _stage(job: Job, paused_by: str | None) -> Text:
    """Where a training stands that has no result yet, in few words."""
    progress = job.progress
    match job.state:
        case JobState.QUEUED if paused_by:
            words = "paused"
        case JobState.RUNNING if progress.epoch and progress.epochs:
            words = f"epoch {progress.epoch}/{progress.epochs}"
        case JobState.DONE:
            words = "other data"  # its folder was changed since the sweep was asked for
        case state:
            words = state.in_words
    return Text(text=words, tone=_TONES.get(job.state, "soft"), tab=run_tab(job.id))


def _data(sweep: Sweep) -> str:
    if sweep.data is None:
        return sweep.recipe.data
    return f"{sweep.data.name} (synthetic speech)" if sweep.data.synthetic else sweep.data.name


def _accuracy(sweep: Sweep, full_length: bool) -> str:
    clips = "clips of a full second, as in the published study" if full_length else "all clips"
    seeds = f", mean over {sweep.grid.seeds} seeds" if sweep.grid.seeds > 1 else ""
    return f"Test accuracy on {clips}{seeds}."


def _base(sweep: Sweep) -> str:
    recipe: Recipe = sweep.recipe
    clips = f" of {recipe.training_clips:,} clips" if recipe.training_clips else ""
    return (
        f"Every cell: {epochs_told(recipe.epochs)}{clips}, batches of {recipe.batch_size}, learning rate "
        f"{exact(recipe.learning_rate)} {recipe.schedule}, {recipe.augmentation} augmentation, {recipe.precision}, "
        f"{'full-length clips only, ' if recipe.full_length_only else ''}seed {recipe.seed}; "
        f"on {sweep.server}, asked for by {sweep.requested_by}."
    )


def _standing(sweep: Sweep, cells: Sequence[SweepCell]) -> str:
    """How many cells are in which state, such as `5 of 8 cells measured, 1 running, 2 queued`."""
    if sweep.preparing or sweep.fault:
        why = sweep.preparing or f"its data cannot be read: {sweep.fault}"
        paused = f", and then paused by {sweep.paused_by}" if sweep.paused_by else ""
        return f"No training is queued yet: {why}{paused}."
    states = Counter(
        "paused" if sweep.paused_by and cell.job.state is JobState.QUEUED else cell.job.state.in_words
        for cell in cells
        if cell.job
    )
    counts = [f"{sum(1 for cell in cells if cell.runs)} of {len(cells)} cells measured"]
    counts += [f"{count} {state}" for state, count in states.items()]
    paused = f" by {sweep.paused_by}" if sweep.paused_by else ""
    return f"{', '.join(counts)}{paused}. X: not run."
