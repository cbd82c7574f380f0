"""What the tabs about jobs and results show, made from what is stored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import NotFoundError
from backend.jobs.marks import Mark
from backend.jobs.result import BrokenResult, Result
from backend.jobs.store import JobStore
from backend.jobs.sweep import SweepView
from backend.settings import Home
from backend.sheets import StoredSheet
from backend.sheets.table import Picture, Table
from backend.tabs.brain import brain_table
from backend.tabs.explain import explanation_table
from backend.tabs.jobs_tab import jobs_tab
from backend.tabs.leaderboard import leaderboard_table
from backend.tabs.names import (
    ARCHIVE,
    Rank,
    brain_tab,
    is_brain_tab,
    is_comparison_tab,
    is_explanation_tab,
    is_run_tab,
    run_tab,
)
from backend.tabs.publisher import Publisher
from backend.tabs.results import archive_table, results_table
from backend.tabs.run import run_table, unreadable_run_table
from backend.tabs.sweeps import FineTuning
from backend.tabs.usage import usage_table
from models.brain_result import Contrast, mapping_names, read_mapping
from models.explanation import Explanation, read_explanations
from models.program_reader import read_any_run
from models.result import BrokenFile, ProgramResult
from models.run_folder import RunFolder, is_run_id
from models.run_reader import BrokenRunError

if TYPE_CHECKING:
    from backend.servers.week import Week

SHOWN_FINISHED_JOBS = 100
SHOWN_COMPARISONS = 10
SHOWN_STARRED = 100
SHOWN_EXPLANATIONS = 40


class Display:
    """Safe to use from several threads."""

    def __init__(
        self,
        home: Home,
        store: JobStore,
        publisher: Publisher,
        workbook: StoredSheet,
        run_tabs: int,
        *,
        sweeps: Callable[[], Sequence[SweepView]],
        unreadable: Callable[[], Sequence[BrokenResult]] = tuple,
        marks: Callable[[], Mapping[str, Mark]] = dict,
        takes_jobs: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """`sweeps` returns the same object as before for a sweep that did not change.

        `unreadable` lists the finished runs whose result cannot be read; `marks` returns what people note, by run;
        `takes_jobs` names the servers that jobs for any server may run on.
        """
        self._home = home
        self._fine_tuning = FineTuning(sweeps)
        self._sweeps = sweeps
        self._marks = marks
        self._takes_jobs = takes_jobs
        self._store = store
        self._publisher = publisher
        self._workbook = workbook
        self._run_tabs = run_tabs
        self._unreadable = unreadable
        self._read: dict[str, tuple[object, Sequence[BrokenFile]]] = {}
        """When the files of each run were changed before they were last read, and those that were broken."""
        self.labels: dict[str, str] = {}
        """What the runs with tabs are about, by the name of the tab."""
        # A table must not be published after one that was made later.
        self._making = threading.RLock()

    def show_jobs(self) -> None:
        """Publishes the tabs that change while trainings run."""
        with self._making:
            self._publisher.publish([self.jobs(SHOWN_FINISHED_JOBS), *self.fine_tuning()])

    def jobs(self, most_finished: int) -> Table:
        """What the tab Jobs shows."""
        return jobs_tab(self._store, self._sweeps(), self._takes_jobs(), most_finished)

    def show_results(self, changed: set[str] | None = None) -> None:
        """Publishes the tabs about results. The newest runs have a tab of their own, and those with a star.

        The cells of sweeps have none, and archived runs; the page draws those when they are asked for.

        Of these, the runs in `changed` are read again, or all, and those whose files changed.
        """
        with self._making:
            results, unreadable, marks = self._store.results(), self._unreadable(), self._marks()
            newest = self._with_tabs([*results, *unreadable], marks)
            self.labels = {tab: _label(run, marks.get(run.run, Mark())) for tab, run in newest.items()}
            mapped = {brain_tab(run.run) for run in newest.values() if self._mappings(run.run)}
            shown = {tab for tab in self._publisher.shown() if is_run_tab(tab) or is_brain_tab(tab)}
            new = [
                run
                for tab, run in newest.items()
                if changed is None
                or run.run in changed
                or tab not in shown
                or brain_tab(run.run) in mapped - shown
                or self._has_changed(run.run)
            ]
            read = [self._run_tab(run) for run in new]
            read += [self._brain_tab(run) for run in new if brain_tab(run.run) in mapped]
            self._read = {run.run: self._read[run.run] for run in newest.values()}
            broken = {run: files for run, (_, files) in self._read.items()}
            archive = archive_table(results, marks)
            self._publisher.publish(
                [
                    results_table(results, unreadable, broken, marks),
                    leaderboard_table(results, marks),
                    *([archive] if archive else ()),
                    *self.fine_tuning(),
                    *read,
                ],
                gone=[*sorted(shown - newest.keys() - mapped), *(() if archive else (ARCHIVE,))],
            )

    def _with_tabs(
        self, runs: Sequence[Result | BrokenResult], marks: Mapping[str, Mark]
    ) -> dict[str, Result | BrokenResult]:
        """The runs that have a tab of their own, by its name."""
        newest_first = sorted(runs, key=lambda run: run.finished_at, reverse=True)
        none, swept = Mark(), self._store.swept()
        starred = [run for run in newest_first if marks.get(run.run, none).is_starred]
        others = [
            run
            for run in newest_first
            if run.run not in swept and not (marks.get(run.run, none).is_archived or run in starred)
        ]
        return {run_tab(run.run): run for run in [*starred[:SHOWN_STARRED], *others[: self._run_tabs]]}

    def run_table(self, run: str) -> Table | None:
        """What the tab of a finished run shows, drawn from its folder; None where it has no result."""
        known = self._store.result(run) or next(
            (each for each in self._unreadable() if each.run == run), None
        )
        return self._drawn(known)[0] if known else None

    def show_usage(self, weeks: Mapping[datetime, Mapping[str, float]]) -> None:
        """Publishes the tab of GPU-hours, given by week and person."""
        self._publisher.publish([usage_table(weeks)])

    def show_report(self, weeks: Sequence[Week]) -> None:
        """Publishes the tab of the last weeks, the newest first."""
        from backend.tabs.report import report_table  # noqa: PLC0415 - as in `waits_seconds`

        waits = {f"{week.since:%Y-%m-%d}": self.waits_seconds(week) for week in weeks}
        self._publisher.publish([report_table(weeks, waits)])

    def waits_seconds(self, week: Week) -> list[float]:
        """For how long each job that started in that week had waited."""
        from backend.servers.week import WEEK  # noqa: PLC0415 - `sheetrack jobs` does not pay for all of the history

        return self._store.waits_seconds(week.since, week.since + WEEK)

    def show_comparison(self, table: Table) -> None:
        """Publishes a comparison; the oldest ones go, and with them their pictures."""
        with self._making:
            ours = self._workbook.shown()
            others = [tab for tab, _ in self._workbook.tabs() if tab in ours and is_comparison_tab(tab)]
            gone = [tab for tab in others if tab != table.name][SHOWN_COMPARISONS - 1 :]
            old = {picture for tab in (table.name, *gone) for picture in self._pictures(tab)}
            self._publisher.publish([table], gone)
            for picture in old - set(_pictures(table)):
                self.picture_file(picture).unlink(missing_ok=True)
                if picture.comparison:
                    with suppress(OSError):  # others may lie there
                        self.picture_file(picture).parent.rmdir()

    def show_explanations(self, found: Sequence[Explanation]) -> None:
        """Publishes analyses, and the tab of their run with links to them; the tabs of the oldest analyses go."""
        with self._making:
            tables = [explanation_table(each) for each in found]
            new = {table.name for table in tables}
            ours = self._workbook.shown()
            others = [tab for tab, _ in self._workbook.tabs() if tab in ours and is_explanation_tab(tab)]
            others = [tab for tab in others if tab not in new]
            self._publisher.publish(tables, others[max(0, SHOWN_EXPLANATIONS - len(new)) :])
            self.show_results({each.run for each in found})

    def picture_file(self, picture: Picture) -> Path:
        """Where a picture lies; it may not be drawn yet."""
        if picture.comparison:
            a, b = picture.comparison
            return self._home.comparisons / a / f"{b}.png"
        return RunFolder(self._home.runs / picture.run).figures / f"{picture.figure}.png"

    def _pictures(self, tab: str) -> list[Picture]:
        try:
            return _pictures(self._workbook.table(tab)[0])
        except NotFoundError:
            return []

    def fine_tuning(self) -> list[Table]:
        """One table an architecture that was swept."""
        with self._making:
            return self._fine_tuning.tables()

    def _run_tab(self, run: Result | BrokenResult) -> Table:
        changed = RunFolder(self._home.runs / run.run).changed()
        table, broken = self._drawn(run)
        self._read[run.run] = (changed, broken)
        return table

    def _drawn(self, run: Result | BrokenResult) -> tuple[Table, Sequence[BrokenFile]]:
        """The table of a run, and which of its files are broken."""
        folder = RunFolder(self._home.runs / run.run)
        content = read_any_run(folder)
        if isinstance(run, BrokenResult):
            known = run.model_copy(update={"broken": tuple(content.broken)})
            return unreadable_run_table(known), content.broken
        table = run_table(
            run,
            content.history,
            content.figures,
            predictions=content.predictions,
            filters=content.filters,
            broken=content.broken,
            metrics=content.metrics,
            evaluations=content.evaluations,
            explanations=read_explanations(folder),
        )
        return table, content.broken

    def _mappings(self, run: str) -> list[str]:
        """The names of the mappings in the tab of the run."""
        folder = RunFolder(self._home.runs / run)
        names = mapping_names(folder)
        return [name for name in names if not self._is_copy(folder, name)] if names else names

    def _is_copy(self, job: RunFolder, name: str) -> bool:
        """Whether a job made the mapping, and the run that it maps has it here too."""
        if not job.command_file.exists():
            return False
        try:
            mapping = read_mapping(job, name)
        except BrokenRunError:
            return False
        if mapping is None or isinstance(mapping, Contrast) or not is_run_id(mapping.run):
            return False
        return name in mapping_names(RunFolder(self._home.runs / mapping.run))

    def _brain_tab(self, run: Result | BrokenResult) -> Table:
        folder = RunFolder(self._home.runs / run.run)
        mappings, broken = [], []
        for name in self._mappings(run.run):
            try:
                mapping = read_mapping(folder, name)
            except BrokenRunError as error:
                broken.append(error.broken)
            else:
                mappings += [mapping] if mapping else []
        figures = [file.stem for file in folder.figures.glob("brain_*.png")]
        rank = Rank.RUN.newest_first(run.finished_at)
        return brain_table(run.run, rank, mappings, figures, broken)

    def _has_changed(self, run: str) -> bool:
        known = self._read.get(run)
        return known is None or known[0] != RunFolder(self._home.runs / run).changed()


def _label(run: Result | BrokenResult, mark: Mark) -> str:
    """The name that people gave the run, or its title."""
    if isinstance(run, BrokenResult):
        return mark.name or (run.work.title if run.work else "")
    work = run.content if isinstance(run.content, ProgramResult) else run.content.recipe
    return mark.name or work.title


def _pictures(table: Table) -> list[Picture]:
    return [picture for section in table.sections for picture in section.pictures]
