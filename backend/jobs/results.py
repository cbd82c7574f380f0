"""Finished runs: found in their folders, stored, and shown."""

import logging
import os
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

from backend.errors import NotFoundError
from backend.jobs.job import Job, JobState
from backend.jobs.result import BrokenResult, Result
from backend.jobs.store import JobStore
from backend.servers.server import Server, this_machine
from backend.settings import Home, this_user
from backend.times import now
from models.program_reader import read_any_result, read_any_run
from models.result import ProgramResult, RunResult
from models.run_folder import RunFolder, is_run_id
from models.run_reader import BrokenRunError

log = logging.getLogger(__name__)

State = tuple[int, ...]
"""Changes when a file changes."""


class Results:
    """Safe to use from several threads."""

    def __init__(
        self,
        home: Home,
        servers: Mapping[str, Server],
        store: JobStore,
        on_results_changed: Callable[[set[str]], None],
    ) -> None:
        """`on_results_changed` is called with the ids of the runs that changed."""
        self._home = home
        self._servers = servers
        self._store = store
        self._on_results_changed = on_results_changed
        self._collecting = threading.Lock()
        self._broken: dict[str, tuple[State, BrokenResult]] = {}
        self._read_again: set[str] = set()
        """Results whose stored form could not be read, and that were read from their folders again."""

    def collect(self) -> list[Result]:
        """Stores and publishes every finished run that is not stored yet, launched or trained directly.

        A run whose result cannot be read is published as broken. A program of the lab's own is finished when it
        has ended well, whatever it has written before.
        """
        with self._collecting:
            known = self._store.result_ids()
            unreadable = self._store.unreadable_results - self._read_again
            before, self._broken = self._broken, {}
            found: dict[str, Result] = {}
            for folder in self._finished(known - unreadable):
                state = (*_state(folder.result_file), *_state(folder.exit_file))
                if folder.id in before and before[folder.id][0] == state:
                    self._broken[folder.id] = before[folder.id]
                    continue
                try:
                    content = read_any_result(folder)
                except BrokenRunError as error:
                    log.warning("%s", error)
                    self._broken[folder.id] = (state, self._broken_result(folder))
                else:
                    if content and not self._was_ended(folder):
                        found[folder.id] = self._result(folder, content)
                        self._store.add_result(found[folder.id], replace=folder.id in unreadable)
            self._read_again |= unreadable & found.keys()
            changed = {
                *found,
                *(run for run in before | self._broken if before.get(run) != self._broken.get(run)),
            }
        if changed:
            self._on_results_changed(changed)
        return list(found.values())

    def newest(self, limit: int | None = None) -> list[Result]:
        """Collects, and returns the newest results; those that are read from their folders again are among them."""
        self.collect()
        found = self._store.results(limit)
        if not self._store.unreadable_results - self._read_again:
            return found
        self.collect()
        return self._store.results(limit)

    def _was_ended(self, folder: RunFolder) -> bool:
        """Whether it is a program that was cancelled: it has a result only where it wrote one."""
        if folder.result_file.exists() or not folder.command_file.exists():
            return False
        job = self._job(folder.id)
        return job is not None and job.state in (JobState.CANCELLING, JobState.CANCELLED)

    def broken(self) -> list[BrokenResult]:
        """The finished runs whose result could not be read when runs were last collected, the newest first."""
        broken = [result for _, result in self._broken.values()]
        return sorted(broken, key=lambda result: result.finished_at, reverse=True)

    def fault(self, run: str) -> str:
        """Why the result of a run could not be read when runs were last collected; empty where it could."""
        if run not in self._broken:
            return ""
        folder = RunFolder(self._home.runs / run)
        _, result = self._broken[run]
        for file in (folder.result_file, folder.exit_file):
            for each in result.broken:
                if each.file == file.name:
                    return f"{file} cannot be read: {each.reason}"
        return f"{folder.result_file} cannot be read"

    def _finished(self, settled: Collection[str]) -> list[RunFolder]:
        """The finished runs but for those, by their files' names alone: there may be many thousands."""
        runs, any_run = str(self._home.runs), RunFolder(self._home.runs)
        program, ended, result = (
            file.name for file in (any_run.command_file, any_run.exit_file, any_run.result_file)
        )
        try:
            names = sorted(os.listdir(runs))  # noqa: PTH208
        except OSError:
            return []
        found = []
        for name in names:
            if name in settled or not is_run_id(name):
                continue
            mark = ended if os.path.lexists(f"{runs}/{name}/{program}") else result
            if os.path.lexists(f"{runs}/{name}/{mark}"):
                found.append(RunFolder(self._home.runs / name))
        return found

    def _result(self, folder: RunFolder, content: RunResult | ProgramResult) -> Result:
        job = self._job(folder.id)
        if isinstance(content, ProgramResult) and content.seconds is None and job and job.started_at:
            seconds = max(0.0, (content.finished_at - job.started_at).total_seconds())
            content = content.model_copy(update={"seconds": round(seconds, 1)})
        return Result(
            run=folder.id,
            server=job.server if job else self._this_server(),
            requested_by=job.requested_by if job else this_user(),
            finished_at=content.finished_at,
            content=content,
        )

    def _broken_result(self, folder: RunFolder) -> BrokenResult:
        job, content = self._job(folder.id), read_any_run(folder)
        return BrokenResult(
            run=folder.id,
            server=job.server if job else None,
            requested_by=job.requested_by if job else None,
            finished_at=_written_at(folder.result_file),
            recipe=content.recipe,
            command=content.command,
            broken=tuple(content.broken),
        )

    def _job(self, run: str) -> Job | None:
        try:
            return self._store.job(run)
        except NotFoundError:
            return None

    def _this_server(self) -> str:
        return next((server.name for server in self._servers.values() if server.is_here), this_machine())


def _state(file: Path) -> State:
    try:
        facts = file.stat()
    except OSError:
        return ()
    return (facts.st_ino, facts.st_mode, facts.st_size, facts.st_mtime_ns)


def _written_at(file: Path) -> datetime:
    try:
        return datetime.fromtimestamp(int(file.lstat().st_mtime), UTC)
    except (OSError, OverflowError, ValueError):
        return now()
