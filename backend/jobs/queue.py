"""Jobs from the request to their end.

`advance` is called every second. It places queued jobs on their servers, which is quick, and has the lane of
each server take its jobs one step further.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from backend.errors import ConflictError
from backend.jobs import turns
from backend.jobs.architectures import source_of
from backend.jobs.engines import Engine
from backend.jobs.full_disk import stopped_first
from backend.jobs.job import ANY, Decision, Job, JobState, Resources, servers_in
from backend.jobs.lane import Lane
from backend.jobs.placement import Placement
from backend.jobs.requests import DEFAULT, Requests
from backend.jobs.results import Results
from backend.jobs.resuming import resumed
from backend.jobs.store import JobStore
from backend.servers.reservations import OthersHold
from backend.servers.server import Server
from backend.servers.state import ServerStatus
from backend.settings import Home
from backend.times import now
from models.command import Command
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
        status_of: Callable[[str], ServerStatus | None],
        on_jobs_changed: Callable[[], None],
        look_at: Callable[[str], ServerStatus | None] | None = None,
        others_hold: Callable[[str, str], OthersHold] | None = None,
    ) -> None:
        """Nothing runs before `advance` is called.

        Args:
            home: where the runs are.
            servers: by name.
            engines: of the servers that take jobs.
            store: keeps the jobs.
            results: takes what jobs leave.
            status_of: a server as it was read last.
            on_jobs_changed: is called after each change.
            look_at: reads a server now, before a job starts there; None: the last reading must do.
            others_hold: what other people than the person of a job have reserved; None: nothing is reserved.
        """
        self._home = home
        self._servers = servers
        self._engines = engines
        self._store = store
        self._results = results
        self._on_jobs_changed = on_jobs_changed
        self._placement = Placement(servers, engines, status_of, others_hold)
        self._look_at = look_at or status_of
        self.requests = Requests(home, servers, engines, self._placement)
        self._lanes: dict[str, Lane] = {}
        self._advancing = threading.Lock()
        self._is_unshown = False

    def launch(
        self,
        server: str,
        work: Recipe | Command,
        requested_by: str,
        key: str | None = None,
        resources: Resources = DEFAULT,
    ) -> Job:
        """Stores the job; it starts when a server admits it. The same `key` of a person launches once.

        `server` is a name, several with commas between them, or `any`.

        Raises:
            NotFoundError: there is no such server.
            InvalidError: there is no such architecture, data, folder or environment, or no server has what the
                job needs.
            ConflictError: the person launched something else with this key.
        """
        wanted = self.requests.checked(server, work, resources)
        # Neither a name nor a header has a line break: no two people share a key.
        key = f"{requested_by}\n{key}" if key else None
        job = self.queue(server, wanted, requested_by, key, resources=resources)
        chosen = job.servers or (job.server,)
        if (chosen, job.work, job.resources) != (servers_in(server), wanted, resources):
            raise ConflictError(
                f"Another job was launched with this key: {job.id}, {job.work.title} on {job.runs_on}.",
                "Use a new key for a new launch.",
            )
        self._on_jobs_changed()
        return job

    def queue(
        self,
        server: str,
        work: Recipe | Command,
        requested_by: str,
        key: str | None = None,
        *,
        sweep: str | None = None,
        resources: Resources = DEFAULT,
    ) -> Job:
        """Stores a job with a checked recipe or command, and publishes nothing."""
        source = source_of(work, self._home.runs) if isinstance(work, Recipe) else b""
        folder = RunFolder.create(self._home.runs, work, source)
        names = servers_in(server)
        is_choice = len(names) > 1 or ANY in names
        job = Job(
            id=folder.id,
            server="" if is_choice else server,
            servers=names if is_choice else (),
            recipe=work if isinstance(work, Recipe) else None,
            command=work if isinstance(work, Command) else None,
            requested_by=requested_by,
            submitted_at=now(),
            sweep=sweep,
            gpus=resources.gpus,
            gpu_memory_gib=resources.gpu_memory_gib,
        )
        try:
            stored = self._store.add_job(job, key)
        except BaseException:  # such as a full disk: nothing is left behind
            folder.remove_new()
            raise
        if stored.id != job.id:
            folder.remove_new()
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
                with stopped_first([job], by, self._home.runs, self._engines):
                    job = self._store.change_job(
                        job, state=state, reason=f"cancelled by {by}", ended_at=ended_at
                    )
                self._on_jobs_changed()
                return job
        raise ConflictError(f"Job {job_id} changes all the time.", "Cancel it again.")

    def cancel_sweep(self, sweep_id: str, by: str) -> None:
        """Cancels all jobs of a sweep that wait or run. Twice is harmless."""
        jobs = [job for job in self._store.jobs_of(sweep_id) if not job.state.is_over]
        with stopped_first(jobs, by, self._home.runs, self._engines):
            self._store.cancel_jobs(sweep_id, f"cancelled by {by}", now())

    def put_first(self, job_id: str, by: str) -> Job:
        """Lets a job that waits overtake all others. It keeps the GPUs that become free where it waits.

        Raises:
            NotFoundError: there is no such job.
            ConflictError: it does not wait.
        """
        return self._decide(job_id, put_first=Decision(by=by, at=now()))

    def override_reservations(self, job_id: str, by: str) -> Job:
        """Lets a job that waits run in spite of other people's reservations.

        Raises:
            NotFoundError: there is no such job.
            ConflictError: it does not wait.
        """
        return self._decide(job_id, override=Decision(by=by, at=now()))

    def _decide(self, job_id: str, **decision: Decision) -> Job:
        job = self._store.job(job_id)
        if job.state is not JobState.QUEUED:
            raise ConflictError(
                f"Job {job.id} is {job.state}: it does not wait.", "There is nothing to change."
            )
        job = self._store.change_job(job, **decision)
        log.info("job %s: %s", job.id, ", ".join(f"{what} by {who.by}" for what, who in decision.items()))
        self._on_jobs_changed()
        return job

    def resume(self, job_id: str, by: str) -> Job:
        """Queues a job again that failed, timed out or was cancelled; one that waits or runs stays as it is.

        Raises:
            NotFoundError: there is no such job.
            ConflictError: it has its result already.
        """
        job = self._store.job(job_id)
        if job.state.is_over:
            job = self._store.change_job(job, **resumed(job, RunFolder(self._home.runs / job.id), by))
        self._on_jobs_changed()
        return job

    def advance(self, wait_seconds: float = 60) -> None:
        """Takes every unfinished job one step further; waits at most so long for servers that do not answer."""
        with self._advancing:
            jobs = self._store.unfinished_jobs()
            has_changed, placed = False, list[Job]()
            try:
                has_changed, placed = self._place(jobs)
            finally:  # where nothing can be stored, jobs are followed and ended all the same
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
        chosen = self._placement.round(jobs, self._paused(), self._store.last_starts())
        placed = []
        for start in chosen.starts:
            with suppress(ConflictError):  # it was cancelled meanwhile
                if RunFolder(self._home.runs / start.job.id).cancel_file.exists():
                    self._store.change_job(
                        start.job, state=JobState.CANCELLED, reason="cancelled", ended_at=now()
                    )
                    continue
                changed = self._store.change_job(
                    start.job,
                    state=JobState.STARTING,
                    reason=start.job.continues,
                    started_at=now(),
                    server=start.server,
                    assigned=start.gpus,
                    limits=start.limits,
                )
                placed.append(changed)
        before = {job.id: job.reason for job in jobs}
        reasons = {job: reason for job, reason in chosen.reasons.items() if reason != before[job]}
        self._store.note_reasons(reasons)
        return bool(reasons or placed), placed

    def _paused(self) -> dict[str, str]:
        """The sweeps that start nothing, each with who paused it."""
        return {sweep.id: sweep.paused_by for sweep in self._store.sweeps() if sweep.paused_by}

    def places(self) -> dict[str, int]:
        """The place of each waiting job, 1 being next; a paused one has none."""
        return turns.places(
            self._store.unfinished_jobs(), self._paused(), self._engines, self._store.last_starts()
        )

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

    def _taken(self, job: Job) -> str:
        """What keeps a job that is about to start from its GPUs; empty if nothing does."""
        return self._placement.taken(job, self._look_at(job.server)) if job.assigned else ""

    def _lane(self, server: str) -> Lane:
        if server not in self._lanes:
            self._lanes[server] = Lane(
                server,
                self._engines.get(server),
                runs=self._home.runs,
                store=self._store,
                results=self._results,
                start_failed=self._placement.start_failed,
                taken=self._taken,
            )
        return self._lanes[server]
