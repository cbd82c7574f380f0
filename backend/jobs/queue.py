"""Jobs from the request to their end.

`advance` is called every second. It places queued jobs on their servers, which is quick, and has the lane of
each server take its jobs one step further.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from backend.errors import ConflictError, InvalidError, NotFoundError
from backend.jobs import architectures
from backend.jobs.data_sets import check_elsewhere, data_folder
from backend.jobs.engines import Engine
from backend.jobs.job import Job, JobState
from backend.jobs.lane import Lane
from backend.jobs.placement import Placement
from backend.jobs.results import Results
from backend.jobs.store import JobStore
from backend.servers.server import Server
from backend.servers.state import Verdict
from backend.settings import Home
from backend.times import now
from models.command import Command
from models.places import expanded
from models.recipe import Recipe
from models.run_folder import RunFolder

log = logging.getLogger(__name__)

_CLOSING_SECONDS = 15
_TRIES = 20
"""How often a cancellation is stored while the job keeps changing its state."""


class Queue:
    def __init__(
        self,
        *,
        home: Home,
        servers: Mapping[str, Server],
        engines: Mapping[str, Engine],
        store: JobStore,
        results: Results,
        verdict_of: Callable[[str], Verdict | None],
        on_jobs_changed: Callable[[], None],
        reserved_against: Callable[[str, str], str | None] | None = None,
    ) -> None:
        """`reserved_against` names, as a sentence, who else has reserved a server; None: nothing is reserved."""
        self._home = home
        self._servers = servers
        self._engines = engines
        self._store = store
        self._results = results
        self._on_jobs_changed = on_jobs_changed
        self._placement = Placement(engines, verdict_of, reserved_against)
        self._lanes: dict[str, Lane] = {}
        self._advancing = threading.Lock()
        self._is_unshown = False
        self._faults: dict[str, str] = {}
        """The unexpected error in the last placement of each job."""

    def launch(self, server: str, work: Recipe | Command, requested_by: str, key: str | None = None) -> Job:
        """Stores the job; it starts when the server admits it. The same `key` of a person launches once.

        Raises:
            NotFoundError: there is no such server.
            InvalidError: there is no such architecture, data, folder or environment.
            ConflictError: the person launched something else with this key.
        """
        wanted = (
            self.checked(server, work) if isinstance(work, Recipe) else self.checked_command(server, work)
        )
        # Neither a name nor a header has a line break: no two people share a key.
        job = self.queue(server, wanted, requested_by, f"{requested_by}\n{key}" if key else None)
        if (job.server, job.work) != (server, wanted):
            raise ConflictError(
                f"Another job was launched with this key: {job.id}, {job.work.title} on {job.server}.",
                "Use a new key for a new launch.",
            )
        self._on_jobs_changed()
        return job

    def checked(self, server: str, recipe: Recipe) -> Recipe:
        """The recipe with its depth filled in and, where the server is this machine, its data found.

        Raises:
            NotFoundError: there is no such server.
            InvalidError: nothing trains there, or there is no such architecture or data.
        """
        self._check_server(server)
        recipe = architectures.check(recipe)
        if self._servers[server].is_here:
            return recipe.model_copy(update={"data": str(data_folder(self._home, recipe.data))})
        check_elsewhere(server, recipe.data)
        return recipe

    def checked_command(self, server: str, command: Command) -> Command:
        """The command; where the server is this machine, with its folder found.

        Raises:
            NotFoundError: there is no such server.
            InvalidError: nothing runs there, or it has no such environment or folder.
        """
        self._check_server(server)
        known = self._servers[server]
        if command.environment and command.environment not in known.environments:
            others = ", ".join(known.environments) or "none yet"
            raise InvalidError(
                f"{server} has no environment {command.environment!r}.",
                f"servers.toml names these there: {others}.",
            )
        if not known.is_here:
            return command
        folder = expanded(command.folder)
        if not folder.is_dir():
            raise InvalidError(f"There is no folder {command.folder!r} on {server}.", "Give its full path.")
        return command.model_copy(update={"folder": str(folder)})

    def _check_server(self, server: str) -> None:
        if server not in self._servers:
            raise NotFoundError(
                f"There is no server {server!r}.", f"Choose one of {', '.join(self._servers)}."
            )
        if server not in self._engines:
            others = ", ".join(self._engines) or "none yet"
            raise InvalidError(f"{server} is only watched: it takes no jobs.", f"Those that do: {others}.")

    def queue(
        self,
        server: str,
        work: Recipe | Command,
        requested_by: str,
        key: str | None = None,
        sweep: str | None = None,
    ) -> Job:
        """Stores a job with a checked recipe or command, and publishes nothing."""
        folder = RunFolder.create(self._home.runs, work)
        job = Job(
            id=folder.id,
            server=server,
            recipe=work if isinstance(work, Recipe) else None,
            command=work if isinstance(work, Command) else None,
            requested_by=requested_by,
            submitted_at=now(),
            sweep=sweep,
        )
        stored = self._store.add_job(job, key)
        if stored.id != job.id:
            folder.work_file(work).unlink()
            folder.path.rmdir()
        return stored

    def cancel(self, job_id: str, by: str) -> Job:
        """Cancels a job. One that has started is `cancelling` until its processes are gone. Twice is harmless.

        Raises:
            NotFoundError: there is no such job.
            ConflictError: it has ended otherwise.
        """
        for _ in range(_TRIES):
            job = self._store.job(job_id)
            if job.state in (JobState.CANCELLING, JobState.CANCELLED):
                return job
            if job.state.is_over:
                raise ConflictError(f"Job {job.id} is {job.state} already.", "There is nothing to cancel.")
            is_waiting = job.state is JobState.QUEUED
            state, ended_at = (JobState.CANCELLED, now()) if is_waiting else (JobState.CANCELLING, None)
            with suppress(ConflictError):  # its state changed since it was read
                job = self._store.change_job(job, state=state, reason=f"cancelled by {by}", ended_at=ended_at)
                self._on_jobs_changed()
                return job
        raise ConflictError(f"Job {job_id} changes all the time.", "Cancel it again.")

    def advance(self, wait_seconds: float = 60) -> None:
        """Takes every unfinished job one step further; waits at most so long for servers that do not answer."""
        with self._advancing:
            jobs = self._store.unfinished_jobs()
            has_changed, placed = self._place(jobs)
            self._step([*(job for job in jobs if job.state.holds_server), *placed], wait_seconds)
        self._show_if(has_changed)

    def end_cancelled(self) -> None:
        """Takes the jobs that are `cancelling` one step further: for commands while no backend serves."""
        with self._advancing:
            jobs = self._store.unfinished_jobs()
            self._step([job for job in jobs if job.state is JobState.CANCELLING], wait_seconds=60)
        self._show_if(False)

    def close(self) -> None:
        """Waits a while for the steps in progress. Trainings continue."""
        until = time.monotonic() + _CLOSING_SECONDS
        for lane in self._lanes.values():
            lane.close(until - time.monotonic())

    def _place(self, jobs: Sequence[Job]) -> tuple[bool, list[Job]]:
        """Stores for each queued job that it starts or why it waits; returns if one changed, and which start."""
        occupied = {job.server for job in jobs if job.state.holds_server}
        paused = {sweep.id: sweep.paused_by for sweep in self._store.sweeps() if sweep.paused_by}
        reasons: dict[str, str] = {}
        placed = []
        for job in jobs:
            if job.state is not JobState.QUEUED:
                continue
            reason = self._obstacle(job, occupied, paused)
            if reason is None:
                occupied.add(job.server)
                with suppress(ConflictError):  # it was cancelled meanwhile
                    changes = {"state": JobState.STARTING, "reason": "", "started_at": now()}
                    placed.append(self._store.change_job(job, **changes))
            elif reason != job.reason:
                reasons[job.id] = reason
        self._store.note_reasons(reasons)
        return bool(reasons or placed), placed

    def _obstacle(self, job: Job, occupied: set[str], paused: Mapping[str, str]) -> str | None:
        if job.sweep and job.sweep in paused:
            return f"paused by {paused[job.sweep]}"
        try:
            reason = self._placement.obstacle(job, occupied)
        except Exception as error:  # no job may stop another one
            reason = f"{type(error).__name__}: {error}"
            if self._faults.get(job.id) != reason:
                log.exception("job %s cannot be placed", job.id)
            self._faults[job.id] = reason
        else:
            self._faults.pop(job.id, None)
        return reason

    def _step(self, jobs: Sequence[Job], wait_seconds: float) -> None:
        by_server: dict[str, list[Job]] = {}
        for job in jobs:
            by_server.setdefault(job.server, []).append(job)
        lanes = [self._lane(server) for server in by_server]
        for lane, theirs in zip(lanes, by_server.values(), strict=True):
            lane.step(theirs)
        until = time.monotonic() + wait_seconds
        for lane in lanes:
            lane.wait(until - time.monotonic())

    def _show_if(self, has_changed: bool) -> None:
        """Tells of changes, also of those that could not be told the last time."""
        in_lanes = [lane.take_changed() for lane in self._lanes.values()]
        self._is_unshown = self._is_unshown or has_changed or any(in_lanes)
        if self._is_unshown:
            self._on_jobs_changed()
            self._is_unshown = False

    def _lane(self, server: str) -> Lane:
        if server not in self._lanes:
            self._lanes[server] = Lane(
                server,
                self._engines.get(server),
                runs=self._home.runs,
                store=self._store,
                results=self._results,
                start_failed=self._placement.start_failed,
            )
        return self._lanes[server]
