"""The Engine seam: where jobs run. Every engine runs `python -m models train RUN_FOLDER`."""

from enum import StrEnum
from typing import Protocol

from backend.errors import UnavailableError
from backend.jobs.job import Job


class ProcessState(StrEnum):
    """Whether a process of the job runs."""

    RUNNING = "running"
    EXITED = "exited"


class LostError(UnavailableError):
    """Whoever would know does not answer. Lost is not stopped: the training may well go on."""


class Engine(Protocol):
    """Every call can be repeated without harm."""

    def start(self, job: Job) -> str:
        """Starts the training of the job's recipe; returns the handle to store with the job.

        Raises:
            UnavailableError: it was not started, and can be once something else works.
            LostError: it may have been started or not; `poll` will know.
        """

    def poll(self, job: Job) -> ProcessState:
        """While it is alive the run folder here shows its progress; once it is gone, all that it left.

        Raises:
            LostError: it cannot be known now, or what it left cannot be had yet.
        """

    def stop(self, job: Job) -> None:
        """Ends the whole tree of processes; returns when it has ended.

        Raises:
            LostError: it may go on; try again.
        """

    def log(self, job: Job) -> str:
        """The last lines that the training wrote, as far as they are known here."""

    def close(self) -> None:
        """Lets go of connections. Trainings go on."""
