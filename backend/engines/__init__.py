"""The Engine seam: where jobs run. Every engine runs `python -m models train RUN_FOLDER`."""

from enum import StrEnum
from typing import Protocol

from backend.job import Job


class Life(StrEnum):
    """Whether something works on a job."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"  # the server does not answer: lost is not stopped


class Engine(Protocol):
    """Every call can be repeated without harm."""

    def start(self, job: Job) -> str:
        """Starts the training of the job's run folder; returns the handle to store with the job.

        Raises:
            UnavailableError: it could not be started.
        """

    def poll(self, job: Job) -> Life: ...

    def stop(self, job: Job) -> None:
        """Ends the whole tree of processes; returns when it has ended."""

    def log(self, job: Job) -> str:
        """The last lines that the training wrote."""
