"""Cancelling a job while the disk is full, so that nothing can be stored."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from backend.database import database_error
from backend.errors import UnavailableError
from backend.jobs.engines import Engine
from backend.jobs.job import Job
from models.run_folder import RunFolder


@contextmanager
def stopped_first(job: Job, by: str, runs: Path, engine: Engine | None) -> Iterator[None]:
    """Ends the processes of a job where the block cannot store its cancellation.

    A file in the run folder, which needs no space while it is empty, has it stored later.

    Raises:
        UnavailableError: it could not be stored.
    """
    try:
        yield
    except (DatabaseError, UnavailableError) as error:
        file = RunFolder(runs / job.id).cancel_file
        with suppress(OSError):
            file.touch()
            file.write_text(by)
        if engine and job.state.holds_server:
            engine.stop(job)
        why = database_error(error) if isinstance(error, DatabaseError) else error
        raise UnavailableError(
            f"Job {job.id} was asked to end, and its cancellation cannot be stored yet: {why}",
            "It is then cancelled.",
        ) from error
