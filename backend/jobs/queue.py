"""The life of a job: launched, queued, started, followed, collected, published.

Every step looks at what is stored and at what is really there, and can be repeated: whoever dies in the
middle of one, the next `advance` goes on from the facts.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping

from pydantic import ValidationError

from backend.errors import ConflictError, InvalidError, NotFoundError, SheetrackError, UnavailableError
from backend.jobs import architectures
from backend.jobs.data_sets import check_elsewhere, data_folder
from backend.jobs.engines import Engine, LostError, ProcessState
from backend.jobs.job import Job, JobState, Progress
from backend.jobs.results import Results
from backend.jobs.store import JobStore
from backend.servers.server import Server
from backend.servers.state import State, Verdict
from backend.settings import Home
from backend.times import now
from models.recipe import Recipe
from models.run_folder import RunFolder

log = logging.getLogger(__name__)

_START_PAUSE_SECONDS = 15
_RECOVERED_JOBS = 100
"""How many of the newest ended jobs a new backend looks at: one may have been cancelled while it still ran."""
_CLOSED = (State.FULL, State.OVERLOADED, State.STALE, State.DOWN, State.MAINTENANCE)


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
        """`reserved_against` says in words who but the asker has reserved a server; None: nobody ever does."""
        self._home = home
        self._servers = servers
        self._engines = engines
        self._store = store
        self._results = results
        self._on_jobs_changed = on_jobs_changed
        self._verdict_of = verdict_of
        self._reserved_against = reserved_against
        self._advancing = threading.Lock()
        self._followed: dict[str, Job] = {}
        """What may run, as far as this process has seen: somebody may cancel it in another one."""
        self._obstacles: dict[str, tuple[float, str]] = {}
        """What kept a training from starting on a server, and when it is tried again."""

    def launch(self, server: str, recipe: Recipe, requested_by: str, key: str | None = None) -> Job:
        """Stores the job; it starts when the server admits it. The same `key` launches once.

        Raises:
            NotFoundError: there is no such server.
            InvalidError: there is no such architecture or data.
        """
        job = self.queue(server, self.checked(server, recipe), requested_by, key)
        self._on_jobs_changed()
        return job

    def checked(self, server: str, recipe: Recipe) -> Recipe:
        """The recipe with its depth filled in and, where the server is this machine, its data found.

        Raises:
            NotFoundError: there is no such server.
            InvalidError: nothing trains there, or there is no such architecture or data.
        """
        if server not in self._servers:
            raise NotFoundError(
                f"There is no server {server!r}.", f"Choose one of {', '.join(self._servers)}."
            )
        if server not in self._engines:
            others = ", ".join(self._engines) or "none yet"
            raise InvalidError(
                f"{server} is only watched: it takes no trainings.", f"Those that do: {others}."
            )
        recipe = architectures.check(recipe)
        if self._servers[server].is_here:
            return recipe.model_copy(update={"data": str(data_folder(self._home, recipe.data))})
        check_elsewhere(server, recipe.data)
        return recipe

    def queue(
        self, server: str, recipe: Recipe, requested_by: str, key: str | None = None, sweep: str | None = None
    ) -> Job:
        """Stores a job with a recipe that was checked, and shows nothing of it yet."""
        folder = RunFolder.create(self._home.runs, recipe)
        job = Job(
            id=folder.id,
            server=server,
            recipe=recipe,
            requested_by=requested_by,
            submitted_at=now(),
            sweep=sweep,
        )
        stored = self._store.add_job(job, key)
        if stored.id != job.id:
            folder.recipe_file.unlink()
            folder.path.rmdir()
        return stored

    def cancel(self, job_id: str, by: str) -> Job:
        """Ends the job wherever it stands; once is as good as twice.

        Raises:
            NotFoundError: there is no such job.
            ConflictError: it has ended otherwise.
        """
        job = self._store.job(job_id)
        if job.state is JobState.CANCELLED:
            self._stop_if_cancelled(job.id)
            return job
        if job.state.is_over:
            raise ConflictError(f"Job {job.id} is {job.state} already.", "There is nothing to cancel.")
        ended = self._store.change_job(
            job, state=JobState.CANCELLED, reason=f"cancelled by {by}", ended_at=now()
        )
        if job.state.holds_server:
            try:
                self._engine(job).stop(job)
            except LostError as lost:
                reason = f"{ended.reason}, and ended as soon as it can be: {lost.message}"
                ended = self._store.change_job(ended, reason=reason)
        self._on_jobs_changed()
        return ended

    def advance(self) -> None:
        """Takes every unfinished job one step further."""
        with self._advancing:
            before = self._store.unfinished_jobs()
            occupied = {job.server for job in before if job.state.holds_server} | self._end_cancelled(before)
            paused = {sweep.id: sweep.paused_by for sweep in self._store.sweeps() if sweep.paused_by}
            changed = False
            for job in before:
                try:
                    if job.sweep in paused and not job.state.holds_server:
                        after = self._wait(job, f"paused by {paused[job.sweep]}")
                    else:
                        after = self._follow(job) if job.state.holds_server else self._admit(job, occupied)
                except ConflictError:
                    changed = True
                    if not self._stop_if_cancelled(job.id):
                        self._followed[job.id] = job
                        occupied.add(job.server)
                except SheetrackError as error:
                    after = self._store.change_job(
                        job, state=JobState.FAILED, reason=str(error), ended_at=now()
                    )
                    changed = True
                else:
                    changed = changed or after != job
                    if after.state.holds_server:
                        self._followed[job.id] = after
            if changed:
                self._on_jobs_changed()

    def _end_cancelled(self, unfinished: list[Job]) -> set[str]:
        """Ends what was cancelled and may still run; returns the servers where that is not certain yet."""
        for job_id in self._followed.keys() - {job.id for job in unfinished}:
            if self._stop_if_cancelled(job_id):
                del self._followed[job_id]
        return {job.server for job in self._followed.values()}

    def _stop_if_cancelled(self, job_id: str) -> bool:
        """Ends a job if somebody has cancelled it; returns whether nothing works against their will any more."""
        job = self._store.job(job_id)
        if job.state is JobState.CANCELLED and job.server in self._engines:
            try:
                self._engine(job).stop(job)
            except LostError:
                return False
        return True

    def recover(self) -> None:
        """Takes up everything that an earlier backend left half done."""
        for job in self._store.finished_jobs(_RECOVERED_JOBS):
            if not self._stop_if_cancelled(job.id):
                self._followed[job.id] = job
        self._results.collect()
        self._on_jobs_changed()
        self._results.show_all()

    def _admit(self, job: Job, occupied: set[str]) -> Job:
        """First come, first served on every server; one that is closed, or reserved by others, gets nothing new."""
        verdict = self._verdict_of(job.server)
        try:
            self._engine(job)
        except LostError as lost:
            return self._wait(job, lost.message)
        if job.server in occupied:
            return self._wait(job, "another training runs on this server")
        # Whoever reserved the server overtakes those who wait for the reservation's end.
        if self._reserved_against and (whose := self._reserved_against(job.server, job.requested_by)):
            return self._wait(job, whose)
        if verdict is None:
            return self._wait(job, f"{job.server} has not been read yet")
        if verdict.state in _CLOSED:
            state = "in maintenance" if verdict.state is State.MAINTENANCE else verdict.state
            return self._wait(job, f"{job.server} is {state}: {verdict.reason}")
        tried_again_at, obstacle = self._obstacles.get(job.server, (0, ""))
        if time.monotonic() < tried_again_at:
            return self._wait(job, obstacle)
        job = self._start(self._store.change_job(job, state=JobState.STARTING, started_at=now()))
        if job.state.holds_server:
            occupied.add(job.server)
        return job

    def _start(self, job: Job) -> Job:
        try:
            handle = self._engine(job).start(job)
        except LostError as lost:
            return self._change(job, state=JobState.LOST, reason=lost.message)
        except UnavailableError as error:
            self._obstacles[job.server] = (time.monotonic() + _START_PAUSE_SECONDS, str(error))
            return self._store.change_job(job, state=JobState.QUEUED, reason=str(error), started_at=None)
        return self._store.change_job(job, handle=handle, reason="")

    def _wait(self, job: Job, reason: str) -> Job:
        return job if job.reason == reason else self._store.change_job(job, reason=reason)

    def _follow(self, job: Job) -> Job:
        folder = RunFolder(self._home.runs / job.id)
        try:
            life = self._engine(job).poll(job)
        except LostError as lost:
            return self._change(job, state=JobState.LOST, reason=lost.message)
        if folder.result_file.exists() and life is not ProcessState.RUNNING:
            self._results.collect()
            changes: dict[str, object] = {"state": JobState.DONE, "reason": ""}
            if job.id not in self._store.result_ids():
                changes = {"state": JobState.FAILED, "reason": f"{folder.result_file} cannot be read"}
            return self._store.change_job(job, progress=_progress(folder, job), ended_at=now(), **changes)
        if life is ProcessState.RUNNING:
            return self._change(job, state=JobState.RUNNING, reason="", progress=_progress(folder, job))
        if job.handle is None and job.state is not JobState.RUNNING:
            # It is not known to have started: the backend died meanwhile, or whoever starts it said nothing.
            return self._start(job)
        return self._store.change_job(
            job, state=JobState.FAILED, reason=_last_words(self._engine(job).log(job)), ended_at=now()
        )

    def _change(self, job: Job, **changes: object) -> Job:
        if all(getattr(job, name) == value for name, value in changes.items()):
            return job
        return self._store.change_job(job, **changes)

    def _engine(self, job: Job) -> Engine:
        try:
            return self._engines[job.server]
        except KeyError:
            # Taken out of servers.toml, or no longer for trainings: what runs there goes on.
            raise LostError(
                f"{job.server} takes no trainings any more: put it back into servers.toml, or cancel.", ""
            ) from None


def _progress(folder: RunFolder, job: Job) -> Progress:
    try:
        return Progress.model_validate(folder.progress() or {})
    except (ValidationError, json.JSONDecodeError):
        return job.progress


def _last_words(log_tail: str) -> str:
    lines = [line.strip() for line in log_tail.splitlines() if line.strip()]
    return " · ".join(lines[-3:])[:500] if lines else "it ended without a word in its log"
