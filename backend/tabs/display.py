"""What the tabs about jobs and results show, made from what is stored."""

from collections.abc import Mapping
from datetime import datetime

from backend.jobs.result import Result
from backend.jobs.store import JobStore
from backend.jobs.sweep import Sweep, SweepCell, cells, trials
from backend.settings import Home
from backend.sheets.table import Table
from backend.tabs.jobs import jobs_table
from backend.tabs.leaderboard import leaderboard_table
from backend.tabs.names import run_tab
from backend.tabs.publisher import Publisher
from backend.tabs.results import results_table
from backend.tabs.run import run_table
from backend.tabs.sweeps import fine_tuning_table
from backend.tabs.usage import usage_table
from models.run_folder import RunFolder

SHOWN_FINISHED_JOBS = 100


class Display:
    def __init__(self, home: Home, store: JobStore, publisher: Publisher, run_tabs: int) -> None:
        self._home = home
        self._store = store
        self._publisher = publisher
        self._run_tabs = run_tabs

    def show_jobs(self) -> None:
        """Publishes the tabs that change while trainings run."""
        jobs = jobs_table(self._store.unfinished_jobs(), self._store.finished_jobs(SHOWN_FINISHED_JOBS))
        self._publisher.publish([jobs, *self.fine_tuning()])

    def show_results(self, changed: set[str] | None = None) -> None:
        """Publishes the tabs about results; of the runs' own tabs those of `changed`, or all."""
        results = self._store.results()
        shown, old = results[: self._run_tabs], results[self._run_tabs :]
        runs = [self._run_tab(result) for result in shown if changed is None or result.run in changed]
        self._publisher.publish(
            [results_table(results), leaderboard_table(results), *self.fine_tuning(), *runs],
            gone=[run_tab(result.run) for result in old[: self._run_tabs]],
        )

    def show_usage(self, weeks: Mapping[datetime, Mapping[str, float]]) -> None:
        """Publishes the tab of GPU-hours, given by week and person."""
        self._publisher.publish([usage_table(weeks)])

    def fine_tuning(self) -> list[Table]:
        """One table an architecture that was swept."""
        sweeps: dict[str, list[tuple[Sweep, list[SweepCell]]]] = {}
        results: list[Result] | None = None
        for sweep in self._store.sweeps():
            results = self._store.results() if results is None else results
            found = cells(trials(sweep, self._store.jobs_of(sweep.id), results))
            sweeps.setdefault(sweep.recipe.architecture, []).append((sweep, found))
        return [fine_tuning_table(architecture, some) for architecture, some in sweeps.items()]

    def _run_tab(self, result: Result) -> Table:
        folder = RunFolder(self._home.runs / result.run)
        figures = [file.stem for file in folder.drawn()]
        return run_table(
            result, folder.history(), figures, predictions=folder.predictions(), filters=folder.filters()
        )
