"""Runs that people deleted: their folders lie in a bin until it is emptied."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel

from backend.errors import ConflictError, NotFoundError
from backend.jobs.results import Results
from backend.jobs.store import JobStore
from backend.settings import Home
from models.program_reader import read_any_run
from models.run_folder import RunFolder, is_run_id


class DeletedRun(BaseModel):
    run: str
    title: str
    deleted_at: AwareDatetime


class RunBin:
    """Safe to use from several threads. The bin lies beside the runs, so that a move is quick and whole."""

    def __init__(
        self, home: Home, store: JobStore, results: Results, on_results_changed: Callable[[set[str]], None]
    ) -> None:
        self._home = home
        self._store = store
        self._results = results
        self._on_results_changed = on_results_changed

    def delete(self, run: str) -> None:
        """Moves a run into the bin; its result is in no tab any more.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it still runs.
        """
        folder = RunFolder(self._home.runs / run)
        if not is_run_id(run) or not folder.path.is_dir():
            raise NotFoundError(f"There is no run {run!r}.", "`sheetrack results` lists them.")
        try:
            is_over = self._store.job(run).state.is_over
        except NotFoundError:
            is_over = True  # it was trained directly
        if not is_over or folder.is_locked():
            raise ConflictError(f"Run {run} is not over.", f"Cancel it first: sheetrack cancel {run}")
        self._home.bin.mkdir(exist_ok=True)
        folder.path.rename(self._home.bin / run)
        self._store.remove_result(run)
        self._on_results_changed({run})
        self._results.collect()

    def restore(self, run: str) -> None:
        """Moves a run back out of the bin.

        Raises:
            NotFoundError: it is not in the bin.
            ConflictError: there is another run of that name by now.
        """
        deleted = self._home.bin / run
        if not is_run_id(run) or not deleted.is_dir():
            raise NotFoundError(
                f"Run {run!r} is not in the bin.", "`sheetrack runs bin` lists what is there."
            )
        if (self._home.runs / run).exists():
            raise ConflictError(f"There is a run {run} already.", "Delete that one first.")
        deleted.rename(self._home.runs / run)
        self._results.collect()

    def has(self, run: str) -> bool:
        return is_run_id(run) and (self._home.bin / run).is_dir()

    def runs(self) -> list[DeletedRun]:
        """What is in the bin, the last that was deleted first."""
        try:
            folders = [RunFolder(path) for path in self._home.bin.iterdir() if is_run_id(path.name)]
        except OSError:
            return []
        deleted = []
        for folder in folders:
            content = read_any_run(folder)
            work = content.recipe or content.command
            moved_at = datetime.fromtimestamp(folder.path.stat().st_ctime, UTC)
            deleted.append(DeletedRun(run=folder.id, title=work.title if work else "", deleted_at=moved_at))
        return sorted(deleted, key=lambda one: one.deleted_at, reverse=True)

    def empty(self) -> int:
        """Removes what is in the bin for good; returns how many runs that were."""
        runs = self.runs()
        for each in runs:
            shutil.rmtree(self._home.bin / each.run)
        return len(runs)
