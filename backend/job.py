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
    asked_by: str
    asked_at: AwareDatetime
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


class DataFacts(BaseModel):
    """The data that a run was trained and tested on."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    hash: str
    synthetic: bool
    folder: str = ""
    """Where the clips lie on the run's server."""
    held_out: str = ""
    notices: tuple[str, ...] = ()


class RunResult(BaseModel):
    """The content of a run's `result.json`; what the backend does not know of is kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    run: str
    words: tuple[str, ...]
    test_accuracy: float
    test_accuracy_full_length: float | None
    test_clips: int
    test_clips_full_length: int
    validation_accuracy: float | None = None
    confusion_matrix: tuple[tuple[int, ...], ...]
    """Rows are the words said, columns the words heard."""
    parameters: int
    epochs: int
    best_epoch: int | None = None
    seconds: float
    clips_per_second: float | None = None
    device: str | None = None
    data: DataFacts
    recipe: Recipe
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime


class Result(BaseModel):
    """What a run came to, where, and who asked for it."""

    model_config = ConfigDict(frozen=True)

    run: str
    server: str
    asked_by: str
    finished_at: AwareDatetime
    content: RunResult
