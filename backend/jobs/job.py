"""A request to run a Recipe on a Server, and what it came to."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict

from models.recipe import Recipe


class JobState(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def is_over(self) -> bool:
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)

    @property
    def holds_server(self) -> bool:
        """Whether something may be running on the server; a lost job may come back."""
        return self in (JobState.STARTING, JobState.RUNNING, JobState.LOST)


class Progress(BaseModel):
    """Where a training stands; the content of the run's `progress.json`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    phase: str | None = None
    epoch: int | None = None
    epochs: int | None = None
    fraction: float | None = None
    loss: float | None = None
    validation_accuracy: float | None = None
    clips_per_second: float | None = None
    seconds_left: float | None = None


class Job(BaseModel):
    """Job and Run share their `id`: the job leaves behind the run folder of that name."""

    model_config = ConfigDict(frozen=True)

    id: str
    server: str
    recipe: Recipe
    requested_by: str
    submitted_at: AwareDatetime
    state: JobState = JobState.QUEUED
    reason: str = ""
    """Why it waits, failed or was cancelled, in words."""
    handle: str | None = None
    """What the engine needs to find it again."""
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    progress: Progress = Progress()
    sweep: str | None = None
    """The sweep that it is a part of."""
