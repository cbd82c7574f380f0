"""The Engine seam: where jobs run.

Every engine runs `python -m models train RUN_FOLDER`, or `run` in place of `train` for a command.
"""

from enum import StrEnum
from typing import NamedTuple, Protocol

from backend.errors import UnavailableError
from backend.jobs.job import Job


class ProcessState(StrEnum):
    """Whether processes of the job exist."""

    PENDING = "pending"
    """Accepted, and not started yet."""
    RUNNING = "running"
    EXITED = "exited"
    FORGOTTEN = "forgotten"
    """Accepted, and forgotten before it started: it never will."""


class LostError(UnavailableError):
    """The service that knows does not answer. Lost is not stopped: the training may still run."""


class LogPart(NamedTuple):
    """Some bytes of a log, where they begin, and how long the log is now."""

    content: bytes
    start: int
    size: int


def job_environment(job: Job) -> dict[str, str]:
    """The variables that name the job, let it see its GPUs alone and tell it its limits."""
    variables = {"SHEETRACK_JOB": job.id}
    if job.assigned is not None:
        variables["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        variables["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.uuid for gpu in job.assigned)
        if job.assigned:
            gpus = (f"GPU {gpu.index} ({gpu.name or gpu.uuid})" for gpu in job.assigned)
            variables["SHEETRACK_GPUS"] = ", ".join(gpus)
            variables["SHEETRACK_PROCESSES"] = str(len(job.assigned))
    for name, limit in dict(job.limits or {}).items():
        if limit is not None:
            variables[f"SHEETRACK_{name.upper()}"] = f"{limit:g}"
    return variables


class Engine(Protocol):
    """Every call can be repeated without harm, and is safe to use from several threads."""

    def start(self, job: Job) -> str:
        """Starts the training of the job's recipe unless it was started before; returns its handle.

        Raises:
            UnavailableError: it was not started; it can be started once something else works.
            LostError: whether it was started is not known; start it again.
        """

    def poll(self, job: Job) -> ProcessState:
        """Whether the training runs.

        While it runs, the run folder here shows its progress; once it has exited, all files that it left.

        Raises:
            LostError: this cannot be known now, or the files cannot be fetched yet.
        """

    def stop(self, job: Job, *, kill: bool = False) -> None:
        """Asks all processes of the job to end, or kills them. Returns at once; `poll` tells when they ended.

        Raises:
            LostError: they could not be asked; try again.
        """

    def log(self, job: Job) -> str:
        """The last lines that the job wrote, as far as they are known here."""

    def ending(self, job: Job) -> str:
        """How the processes of a job that has exited ended, in words; empty: not known."""

    def read_log(self, job: Job, start: int, most_bytes: int) -> LogPart:
        """A part of the log from byte `start` on; a negative `start` counts from the end.

        Raises:
            LostError: it cannot be read now.
        """

    def note(self, job: Job) -> str:
        """What people should know of a job that has not exited, as the last `poll` saw it; empty: nothing."""

    def close(self) -> None:
        """Closes connections. Trainings continue."""
