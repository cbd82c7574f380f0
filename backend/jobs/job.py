"""A request to run a Recipe or a Command on a Server, and what became of it."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict

from models.command import Command
from models.recipe import Recipe
from models.result import Progress


class JobState(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    """To be ended; its processes may still run."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    """Its server does not answer; its processes may still run."""

    @property
    def is_over(self) -> bool:
        """Whether the state is final."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)

    @property
    def holds_server(self) -> bool:
        """Whether processes of the job may run on the server."""
        return not self.is_over and self is not JobState.QUEUED


class Job(BaseModel):
    """Job and Run share their `id`: the job leaves behind the run folder of that name."""

    model_config = ConfigDict(frozen=True)

    id: str
    server: str
    recipe: Recipe | None = None
    """The training that it runs."""
    command: Command | None = None
    """The program of the lab's own that it runs; it has either this or a recipe."""
    requested_by: str
    submitted_at: AwareDatetime
    state: JobState = JobState.QUEUED
    reason: str = ""
    """Why it waits, failed or was cancelled, as a sentence."""
    handle: str | None = None
    """The engine's name for it; None: not known to have been started."""
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    progress: Progress = Progress()
    sweep: str | None = None
    """The sweep that it belongs to."""

    @property
    def work(self) -> Recipe | Command:
        """What it runs."""
        return self.command or self.recipe or UNREADABLE


UNREADABLE = Recipe(name="The stored recipe cannot be read.", architecture="unknown", data="unknown")
"""Stands for a recipe or a command that cannot be read: the job is shown, and followed where it runs already."""
