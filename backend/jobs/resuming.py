"""Jobs that ended without a result and go on: from their checkpoint, or once the disk has space."""

from collections.abc import Sequence
from typing import Any

from backend.errors import ConflictError
from backend.jobs.job import Job, JobState
from models.program_history import last_epoch
from models.run_folder import RunFolder
from models.run_lock import ended_for_space
from models.run_reader import BrokenRunError, read_history

MOST_RETRIES = 3
"""How often a job is queued again without a new epoch between."""
SAME_CAUSE = 3
"""So many trainings of a sweep in a row that fail with the same cause pause it."""
_MOST_CAUSE = 200


def finished_epochs(folder: RunFolder) -> int:
    """The epochs that a run has finished; 0: none, or its history cannot be read."""
    try:
        if folder.command_file.exists():
            last = last_epoch(folder)
            return last.epoch if last else 0
        return len(read_history(folder))
    except BrokenRunError:
        return 0


def has_checkpoint(folder: RunFolder) -> bool:
    """Whether a run can go on, on its server. A training writes a checkpoint after each epoch, a program may."""
    if folder.command_file.exists():
        return folder.checkpoint_file.exists() or folder.checkpoint_mark.exists()
    return finished_epochs(folder) > 0


def again(job: Job, folder: RunFolder, cause: str) -> dict[str, Any] | None:
    """What changes in a job that ended without a result and is queued again; None: it has failed.

    Args:
        job: as it was when it ended.
        folder: its run folder here.
        cause: why it ended.
    """
    epochs = finished_epochs(folder)
    retries = 0 if epochs > job.epochs else job.retries
    if ended_for_space(folder.lock_file) or "disk is full" in cause:
        cause = "its disk was full"
    elif not has_checkpoint(folder):
        return None
    if retries >= MOST_RETRIES:
        return None
    return queued(job, folder, retries + 1, cause)


def resumed(job: Job, folder: RunFolder, by: str) -> dict[str, Any]:
    """What changes in a job that is over and that a person resumes; its marks of the end are removed.

    Raises:
        ConflictError: it has its result already.
    """
    if job.state is JobState.DONE or folder.result_file.exists():
        raise ConflictError(f"Job {job.id} has its result already.", "There is nothing to resume.")
    for file in (folder.cancel_file, folder.exit_file):
        file.unlink(missing_ok=True)
    return queued(job, folder, 0, f"resumed by {by}")


def queued(job: Job, folder: RunFolder, retries: int, cause: str) -> dict[str, Any]:
    """The changes that put a job back to its place in the queue."""
    epochs, goes_on = finished_epochs(folder), has_checkpoint(folder)
    begins = (
        f"continues from {f'epoch {epochs}' if epochs else 'its checkpoint'}" if goes_on else "starts again"
    )
    continues = f"{begins} ({cause[:_MOST_CAUSE]})"
    # A checkpoint stays on its server; without one, the job may start on any of its servers.
    where = {"server": job.server, "servers": ()} if goes_on and job.server else {}
    return {
        **job.unplaced,
        **where,
        "state": JobState.QUEUED,
        "reason": continues,
        "continues": continues,
        "handle": None,
        "ended_at": None,
        "attempt": job.attempt + 1,
        "retries": retries,
        "epochs": epochs,
    }


def common_cause(finished: Sequence[Job]) -> str:
    """The cause with which the newest trainings of a sweep failed in a row; empty: there is none.

    Args:
        finished: its jobs that are over, the newest first; cancelled ones do not count.
    """
    newest = [job for job in finished if job.state is not JobState.CANCELLED][:SAME_CAUSE]
    causes = {job.reason.replace(job.id, "") for job in newest}
    if len(newest) < SAME_CAUSE or len(causes) > 1 or any(job.state is not JobState.FAILED for job in newest):
        return ""
    return newest[0].reason
