"""What a run came to."""

from pydantic import AwareDatetime, BaseModel, ConfigDict

from models.recipe import Recipe


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
    requested_by: str
    finished_at: AwareDatetime
    content: RunResult
