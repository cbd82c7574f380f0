"""Jobs ended with the test that began them."""

from contextlib import suppress

from backend.errors import ConflictError
from backend.jobs.job import Job, JobState
from backend.service.wiring import Sheetrack
from tests.patience import wait_until


def ended(sheetrack: Sheetrack, job: Job) -> Job:
    """Waits until a cancelled job has ended, and ends it from here; returns it as it then is."""

    def is_over() -> bool:
        sheetrack.queue.end_cancelled()
        return sheetrack.jobs.job(job.id).state is not JobState.CANCELLING

    wait_until(is_over, f"the end of {job.id}")
    return sheetrack.jobs.job(job.id)


def end_all(sheetrack: Sheetrack) -> None:
    """Cancels whatever has not ended, and waits until it has."""
    cancelled = []
    for job in sheetrack.jobs.unfinished_jobs():
        with suppress(ConflictError):
            cancelled.append(sheetrack.queue.cancel(job.id, "the test"))
    for job in cancelled:
        ended(sheetrack, job)
