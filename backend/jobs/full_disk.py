"""Cancelling jobs while the disk is full, so that nothing can be stored."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from backend.database import database_error
from backend.errors import UnavailableError
from backend.jobs.engines import Engine
from backend.jobs.job import Job
from models.run_folder import RunFolder


@contextmanager
def stopped_first(jobs: Sequence[Job], by: str, runs: Path, engines: Mapping[str, Engine]) -> Iterator[None]:
    """Ends the processes of jobs where the block cannot store that they are cancelled.

    A file in each run folder, which needs no space while it is empty, has it stored later.

    Raises:
        UnavailableError: it could not be stored.
    """
    try:
        yield
    except (DatabaseError, UnavailableError) as error:
        for job in jobs:
            file = RunFolder(runs / job.id).cancel_file
            with suppress(OSError):
                file.touch()
                file.write_text(by)
            # The others are asked to end by the next step of the queue, as is one whose engine is lost.
            if job.state.holds_server and (engine := engines.get(job.server)):
                with suppress(UnavailableError):
                    engine.stop(job)
        why = database_error(error) if isinstance(error, DatabaseError) else error
        who, whose = (
            (f"Job {jobs[0].id} was", "its") if len(jobs) == 1 else (f"{len(jobs)} jobs were", "their")
        )
        raise UnavailableError(
            f"{who} asked to end, and {whose} cancellation cannot be stored yet: {why}",
            "It is stored later.",
        ) from error
