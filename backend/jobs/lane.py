"""The jobs of one server: started, followed and ended."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from backend.errors import ConflictError, NotFoundError, SheetrackError, UnavailableError
from backend.jobs.ending import why_it_ended
from backend.jobs.engines import Engine, LostError, ProcessState
from backend.jobs.job import NO_PROGRESS, UNREADABLE, Job, JobState
from backend.jobs.placement import no_longer_trains
from backend.jobs.results import Results
from backend.jobs.resuming import SAME_CAUSE, again, common_cause, queued
from backend.jobs.store import JobStore
from backend.jobs.sweep import BY_ITSELF
from backend.times import duration, now
from models.program_reader import read_any_progress, read_any_result
from models.result import TIMED_OUT, Progress
from models.run_folder import RunFolder
from models.run_reader import BrokenRunError

log = logging.getLogger(__name__)

STALL_SECONDS = 600
"""A job that shows no progress for so long says so."""
GRACE_SECONDS = 5
"""Time that a training has to write a checkpoint before it is killed."""


class Lane:
    """A server that does not answer delays its own jobs only: each lane has its own thread.

    Each step compares what is stored with what exists, and can be repeated: whichever process died in the
    middle of a step, the next step continues from the facts.
    """

    def __init__(
        self,
        server: str,
        engine: Engine | None,
        *,
        runs: Path,
        store: JobStore,
        results: Results,
        start_failed: Callable[[str, str], None],
        taken: Callable[[Job], str],
    ) -> None:
        """The jobs of `server`.

        Args:
            server: its name.
            engine: None: the server takes no jobs any more.
            runs: where the runs are.
            store: keeps the jobs.
            results: takes what jobs leave.
            start_failed: is told which server could not start a job, and why.
            taken: what keeps a job that is about to start from its GPUs; empty if nothing does.
        """
        self._server = server
        self._engine = engine
        self._runs = runs
        self._store = store
        self._results = results
        self._start_failed = start_failed
        self._taken = taken
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._changed = threading.Event()
        self._stopped_at: dict[str, float] = {}
        """When each job was first asked to end, by the monotonic clock."""
        self._faults: dict[str, str] = {}
        """The unexpected error in the last step of each job."""
        self._lost_at: dict[str, float] = {}
        """Since when each job is lost, by the monotonic clock."""
        self._progressed: dict[str, tuple[Progress, float]] = {}
        """The last progress of each job, and when it was seen first."""

    def step(self, jobs: Sequence[Job]) -> None:
        """Begins to take `jobs`, which hold the server, one step further, unless the last step still runs."""
        if not self._thread or not self._thread.is_alive():
            name = f"jobs on {self._server}"
            self._thread = threading.Thread(target=self._advance, args=(jobs,), name=name, daemon=True)
            self._thread.start()

    def wait(self, seconds: float) -> None:
        """Waits for the end of the step, for at most `seconds`."""
        if self._thread:
            self._thread.join(max(0, seconds))

    def close(self, seconds: float) -> None:
        """Waits as `wait` does; a step that still runs then stores no errors."""
        self.wait(seconds)
        self._is_closed = True

    def take_changed(self) -> bool:
        """Whether a job changed since the last call."""
        changed = self._changed.is_set()
        self._changed.clear()
        return changed

    def _advance(self, jobs: Sequence[Job]) -> None:
        current = {job.id for job in jobs}
        kept: tuple[dict[str, Any], ...] = (
            self._stopped_at,
            self._faults,
            self._lost_at,
            self._progressed,
        )
        for facts in kept:
            for forgotten in facts.keys() - current:
                del facts[forgotten]
        for job in jobs:
            try:
                has_changed = self._step(job) != job
                self._faults.pop(job.id, None)
            except ConflictError:
                has_changed = True  # by a person or another process: the next step sees how
            except Exception as error:  # noqa: BLE001 - no job may stop another one
                has_changed = self._note_fault(job, error)
            if has_changed:
                self._changed.set()

    def _note_fault(self, job: Job, error: Exception) -> bool:
        """Logs an unexpected error and stores it as the job's reason; returns whether the job has changed."""
        reason = str(error) if isinstance(error, SheetrackError) else f"{type(error).__name__}: {error}"
        if self._is_closed or self._faults.get(job.id) == reason:
            return False
        self._faults[job.id] = reason
        log.error("job %s on %s: %s", job.id, self._server, reason, exc_info=error)
        with suppress(Exception):  # the store itself may be what fails
            self._store.change_job(job, reason=_with_detail(job, reason))
        return True

    def _step(self, job: Job) -> Job:
        if job.state is JobState.CANCELLING or RunFolder(self._runs / job.id).cancel_file.exists():
            return self._end(job)
        if self._engine is None:
            return self._change(job, state=JobState.LOST, reason=no_longer_trains(self._server))
        try:
            return self._start(job, self._engine) if job.handle is None else self._follow(job, self._engine)
        except LostError as lost:
            self._lost_at.setdefault(job.id, time.monotonic())
            return self._change(job, state=JobState.LOST, reason=lost.message)

    def _start(self, job: Job, engine: Engine) -> Job:
        if job.work == UNREADABLE:
            return self._finish(job, JobState.FAILED, UNREADABLE.name)
        fault = self._faults.get(job.id)
        if fault and engine.poll(job) is ProcessState.EXITED:
            return self._finish(job, JobState.FAILED, fault)
        if (taken := self._taken(job)) and engine.poll(job) is ProcessState.EXITED:
            return self._back_to_its_place(job, taken)
        try:
            handle = engine.start(job)
        except LostError:
            raise
        except UnavailableError as error:
            self._start_failed(self._server, str(error))
            return self._back_to_its_place(job, str(error))
        except SheetrackError as error:
            return self._finish(job, JobState.FAILED, str(error))
        # Also where the job was cancelled meanwhile: it is one that was started.
        self._store.note_handle(job.id, handle)
        return self._change(job.model_copy(update={"handle": handle}), reason=job.continues)

    def _back_to_its_place(self, job: Job, reason: str) -> Job:
        """The job waits again, where it may run and as long as it has waited."""
        return self._store.change_job(job, state=JobState.QUEUED, reason=reason, **job.unplaced)

    def _follow(self, job: Job, engine: Engine) -> Job:
        processes = engine.poll(job)
        if processes is ProcessState.EXITED:
            return self._finish(job, JobState.FAILED)
        self._lost_at.pop(job.id, None)
        if processes is ProcessState.PENDING:
            return self._change(job, state=JobState.STARTING, reason=engine.note(job))
        if processes is ProcessState.FORGOTTEN:
            folder = RunFolder(self._runs / job.id)
            return self._store.change_job(job, **queued(job, folder, job.retries, engine.note(job)))
        progress, fault = self._progress(job)
        reason = fault or engine.note(job) or self._stall(job, progress) or job.continues
        return self._change(job, state=JobState.RUNNING, reason=reason, progress=progress)

    def _stall(self, job: Job, progress: Progress) -> str:
        """For how long the job has shown no progress, in whole steps; empty: it does."""
        at = time.monotonic()
        before, since = self._progressed.get(job.id, (None, at))
        if progress != before or progress == Progress():  # a program need not tell how far it is
            self._progressed[job.id] = (progress, at)
            return ""
        steps = int((at - since) / STALL_SECONDS)
        return f"{NO_PROGRESS}{duration(steps * STALL_SECONDS)}" if steps else ""

    def _end(self, job: Job) -> Job:
        """Asks the processes of the job to end, kills them after a while, and waits until they are gone."""
        if self._engine is None:
            reason = _with_detail(
                job, f"{self._server} takes no trainings any more, so nothing was ended there"
            )
            return self._finish(job, JobState.CANCELLED, reason)
        try:
            stopped_at = self._stopped_at.get(job.id)
            is_late = stopped_at is not None and time.monotonic() > stopped_at + GRACE_SECONDS
            if stopped_at is None or is_late:
                self._engine.stop(job, kill=is_late)
                self._stopped_at.setdefault(job.id, time.monotonic())
            state = self._engine.poll(job)
        except LostError as lost:
            return self._change(job, reason=_with_detail(job, lost.message))
        if job.state is not JobState.CANCELLING:  # the cancellation could not be stored
            job = self._store.change_job(job, state=JobState.CANCELLING, reason=self._cancelled_by(job))
        # Where the answer to the start was lost, the processes may appear a moment later.
        has_ended = state in (ProcessState.EXITED, ProcessState.FORGOTTEN)
        if has_ended and (job.handle or is_late):
            return self._finish(job, JobState.CANCELLED, _without_detail(job))
        detail = "its processes were killed and have not ended yet"
        return self._change(job, reason=_with_detail(job, detail) if is_late else _without_detail(job))

    def _cancelled_by(self, job: Job) -> str:
        """The reason that was left in the run folder, where the disk had room for it."""
        with suppress(OSError):
            by = RunFolder(self._runs / job.id).cancel_file.read_text(errors="replace")[:200]
            return f"cancelled by {by}" if by else "cancelled"
        return "cancelled"

    def _finish(self, job: Job, state: JobState, reason: str = "") -> Job:
        """Stores that the job is over: done where it left a result, else `state`, if need be with its last words."""
        folder = RunFolder(self._runs / job.id)
        if has_result := _has_result(folder):
            self._results.collect()
            if job.id in self._store.result_ids():
                state, reason = JobState.DONE, ""
            elif fault := self._results.fault(job.id):
                state, reason = JobState.FAILED, fault
        elif not reason and self._engine:
            reason = why_it_ended(self._engine.ending(job), self._engine.log(job))
        progress, _ = self._progress(job)
        if state is JobState.FAILED and not has_result:
            if progress.phase == TIMED_OUT:
                state, reason = JobState.TIMED_OUT, "its time limit is over: resume it to train on"
            elif job.handle and (changes := again(job, folder, self._cause(job, reason))):
                folder.exit_file.unlink(missing_ok=True)
                return self._store.change_job(job, progress=progress, **changes)
        ended = self._store.change_job(job, state=state, reason=reason, progress=progress, ended_at=now())
        folder.cancel_file.unlink(missing_ok=True)
        self._pause_failing(ended)
        return ended

    def _cause(self, job: Job, reason: str) -> str:
        """Why a job ended, in a few words."""
        if (lost_at := self._lost_at.get(job.id)) is None:
            return reason
        return f"server was away {duration(time.monotonic() - lost_at)}"

    def _pause_failing(self, job: Job) -> None:
        """Pauses the job's sweep where its newest trainings all failed with the same cause."""
        if job.sweep is None or job.state is not JobState.FAILED:
            return
        if cause := common_cause(self._store.newest_ended(job.sweep, SAME_CAUSE)):
            by = f"{BY_ITSELF}{SAME_CAUSE} trainings in a row failed: {cause}"
            with suppress(NotFoundError):  # the sweep was removed
                self._store.change_sweep(job.sweep, paused_by=by)

    def _progress(self, job: Job) -> tuple[Progress, str]:
        """How far the training is, and what is wrong with the file that says so."""
        folder = RunFolder(self._runs / job.id)
        try:
            return read_any_progress(folder), ""
        except BrokenRunError as error:
            return job.progress, f"{folder.progress_file} cannot be read: {error.broken.reason}"

    def _change(self, job: Job, **changes: object) -> Job:
        if all(getattr(job, name) == value for name, value in changes.items()):
            return job
        return self._store.change_job(job, **changes)


_DETAIL = "; "
"""Between who cancelled a job and why that takes time."""


def _with_detail(job: Job, detail: str) -> str:
    return f"{_without_detail(job)}{_DETAIL}{detail}" if job.state is JobState.CANCELLING else detail


def _without_detail(job: Job) -> str:
    return job.reason.split(_DETAIL)[0]


def _has_result(folder: RunFolder) -> bool:
    """Whether the job has done what it was to do, so far as its files tell."""
    if not folder.command_file.exists():
        return folder.result_file.exists()
    try:
        return read_any_result(folder) is not None
    except BrokenRunError:
        return True  # the collection of results says what is wrong
