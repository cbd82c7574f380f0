"""What a run folder tells about its run, checked once at the edge. Needs neither numpy nor torch."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from models.recipe import Recipe
from models.run_folder import RunFolder

Matrix = list[list[Annotated[int, Field(ge=0)]]]


class BrokenRunError(ValueError):
    """A file of a run folder cannot be read; the message is one sentence for people."""


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True)


class DataFacts(_Facts):
    """The data set that a run was trained and tested on."""

    name: str
    hash: str
    synthetic: bool


class Result(_Facts):
    """The part of `result.json` that pictures and comparisons rely on; rows of a matrix are the word said."""

    words: list[str]
    test_accuracy: float | None
    test_accuracy_full_length: float | None
    test_clips: int
    test_clips_full_length: int
    confusion_matrix: Matrix
    confusion_matrix_full_length: Matrix
    best_epoch: int | None
    data: DataFacts
    recipe: Recipe

    @model_validator(mode="after")
    def _matrices_fit_the_words(self) -> Self:
        sizes = {len(self.words)}
        for matrix in (self.confusion_matrix, self.confusion_matrix_full_length):
            if {len(matrix), *map(len, matrix)} != sizes:
                raise ValueError("a confusion matrix needs one row and one column a word")
        return self


class Epoch(_Facts):
    """One line of `history.jsonl`."""

    epoch: int
    loss: float | None
    train_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float | None


def read_result(folder: RunFolder) -> Result | None:
    """The result, or None while the run is not finished.

    Raises:
        BrokenRunError: `result.json` is no result.
    """
    try:
        content = folder.result()
        return None if content is None else Result.model_validate(content)
    except (OSError, ValueError) as error:
        raise broken(folder, folder.result_file.name, error) from error


def read_history(folder: RunFolder) -> list[Epoch]:
    """One entry an epoch so far.

    Raises:
        BrokenRunError: a whole line of `history.jsonl` is no epoch.
    """
    try:
        return TypeAdapter(list[Epoch]).validate_python(folder.history())
    except (OSError, ValueError) as error:
        raise broken(folder, folder.history_file.name, error) from error


def broken(folder: RunFolder, file: str, error: Exception) -> BrokenRunError:
    reason = str(error)
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        reason = " ".join([".".join(map(str, first["loc"])), first["msg"]]).strip()
    return BrokenRunError(
        f"{file} of run {folder.id} cannot be read ({reason}): restore the file, or train the recipe again"
    )
