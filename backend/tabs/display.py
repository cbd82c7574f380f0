"""What the tabs about jobs and results show, made from what is stored."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from backend.errors import NotFoundError
from backend.jobs.result import BrokenResult, Result
from backend.jobs.store import JobStore
from backend.jobs.sweep import SweepView
from backend.servers.week import WEEK, Week
from backend.settings import Home
from backend.sheets import StoredSheet
from backend.sheets.table import Picture, Table
from backend.tabs.jobs import jobs_table
from backend.tabs.leaderboard import leaderboard_table
from backend.tabs.names import is_comparison_tab, is_run_tab, run_tab
from backend.tabs.publisher import Publisher
from backend.tabs.report import report_table
from backend.tabs.results import results_table
from backend.tabs.run import run_table, unreadable_run_table
from backend.tabs.sweeps import FineTuning
from backend.tabs.usage import usage_table
from models.program_reader import read_any_run
from models.result import BrokenFile
from models.run_folder import RunFolder

SHOWN_FINISHED_JOBS = 100
SHOWN_COMPARISONS = 10


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
    ) -> None:
        """`sweeps` returns the same object as before for a sweep that did not change.

        `unreadable` lists the finished runs whose result cannot be read.
        """
        self._home = home
        self._fine_tuning = FineTuning(sweeps)
        self._store = store
        self._publisher = publisher
        self._workbook = workbook
        self._run_tabs = run_tabs
        self._unreadable = unreadable
        self._read: dict[str, tuple[object, Sequence[BrokenFile]]] = {}
        """When the files of each run were changed before they were last read, and those that were broken."""
        # A table must not be published after one that was made later.
        self._making = threading.RLock()

    def show_jobs(self) -> None:
        """Publishes the tabs that change while trainings run."""
        with self._making:
            finished = self._store.finished_jobs(SHOWN_FINISHED_JOBS)
            jobs = jobs_table(self._store.unfinished_jobs(), finished)
            self._publisher.publish([jobs, *self.fine_tuning()])

    def show_results(self, changed: set[str] | None = None) -> None:
        """Publishes the tabs about results, and exactly the newest runs have a tab of their own.

        Of these, the runs in `changed` are read again, or all, and those whose files changed.
        """
        with self._making:
            results, unreadable = self._store.results(), self._unreadable()
            runs: list[Result | BrokenResult] = [*results, *unreadable]
            newest_first = sorted(runs, key=lambda run: run.finished_at, reverse=True)
            newest = {run_tab(run.run): run for run in newest_first[: self._run_tabs]}
            shown = {tab for tab in self._publisher.shown() if is_run_tab(tab)}
            read = [
                self._run_tab(run)
                for tab, run in newest.items()
                if changed is None or run.run in changed or tab not in shown or self._has_changed(run.run)
            ]
            self._read = {run.run: self._read[run.run] for run in newest.values()}
            broken = {run: files for run, (_, files) in self._read.items()}
            self._publisher.publish(
                [
                    results_table(results, unreadable, broken),
                    leaderboard_table(results),
                    *self.fine_tuning(),
                    *read,
                ],
                gone=sorted(shown - newest.keys()),
            )

    def show_usage(self, weeks: Mapping[datetime, Mapping[str, float]]) -> None:
        """Publishes the tab of GPU-hours, given by week and person."""
        self._publisher.publish([usage_table(weeks)])

    def show_report(self, weeks: Sequence[Week]) -> None:
        """Publishes the tab of the last weeks, the newest first."""
        waits = {f"{week.since:%Y-%m-%d}": self.waits_seconds(week) for week in weeks}
        self._publisher.publish([report_table(weeks, waits)])

    def waits_seconds(self, week: Week) -> list[float]:
        """For how long each job that started in that week had waited."""
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
        folder = RunFolder(self._home.runs / run.run)
        changed = folder.changed()
        content = read_any_run(folder)
        self._read[run.run] = (changed, content.broken)
        if isinstance(run, BrokenResult):
            return unreadable_run_table(run.model_copy(update={"broken": tuple(content.broken)}))
        return run_table(
            run,
            content.history,
            content.figures,
            predictions=content.predictions,
            filters=content.filters,
            broken=content.broken,
            metrics=content.metrics,
            evaluations=content.evaluations,
        )

    def _has_changed(self, run: str) -> bool:
        known = self._read.get(run)
        return known is None or known[0] != RunFolder(self._home.runs / run).changed()


def _pictures(table: Table) -> list[Picture]:
    return [picture for section in table.sections for picture in section.pictures]
