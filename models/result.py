"""The content of a run's files, as the training leaves them. `models/run_reader.py` reads the files.

Numbers are finite and within their range, texts have a largest length, and types are not guessed.
"""

import signal as signals
from dataclasses import dataclass, field
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from models.command import Command
from models.recipe import Recipe

Count = Annotated[int, Field(strict=True, ge=0, le=2**53)]
Value = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Line = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
Moment = Annotated[AwareDatetime, Field(strict=True)]
Matrix = tuple[tuple[Count, ...], ...]
"""Clips: a row for each label, a column for each prediction."""


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True)


class DataFacts(_Content):
    """The data set that a run was trained and tested on."""

    name: Line
    hash: Line
    synthetic: Annotated[bool, Field(strict=True)]
    folder: Line = ""
    """Where the clips lie on the run's server."""
    held_out: Line = ""
    """What the test clips have that the training clips have not."""
    notices: Annotated[tuple[Annotated[str, Field(max_length=10_000)], ...], Field(max_length=1000)] = ()
    """What was changed or left out when the clips were read."""
    words: tuple[Line, ...] = ()
    clips: dict[Line, Count] = {}
    """By split."""
    clips_full_length: dict[Line, Count] = {}


class RunResult(_Content):
    """The content of `result.json`."""

    run: Line
    words: Annotated[tuple[Annotated[Line, Field(min_length=1)], ...], Field(min_length=1, max_length=1000)]
    test_accuracy: Share
    test_accuracy_full_length: Share | None
    test_clips: Count
    test_clips_full_length: Count
    validation_accuracy: Share | None = None
    confusion_matrix: Matrix
    confusion_matrix_full_length: Matrix | None = None
    parameters: Count
    mflop_per_clip: Value | None = None
    epochs: Count
    best_epoch: Count | None = None
    seconds: Value
    clips_per_second: Value | None = None
    data: DataFacts
    recipe: Recipe
    precision: Line | None = None
    """The precision that was used: a processor may lack that of the recipe."""
    device: Line | None = None
    started_at: Moment | None = None
    finished_at: Moment

    @model_validator(mode="after")
    def _matrices_fit_the_words(self) -> Self:
        words = len(self.words)
        if len(set(self.words)) < words:
            raise ValueError("words has a word twice")
        for matrix in (self.confusion_matrix, self.confusion_matrix_full_length):
            if matrix is not None and {len(matrix), *map(len, matrix)} != {words}:
                raise ValueError(f"a confusion matrix needs one row and one column for each of {words} words")
        return self

    @model_validator(mode="after")
    def _times_are_possible(self) -> Self:
        for moment in (self.started_at, self.finished_at):
            # At either end of the calendar a time zone leads out of it.
            if moment and not 1970 < moment.year < 9999:
                raise ValueError(f"the year {moment.year} is not possible")
        return self


class Evaluation(_Content):
    """One entry of `evaluations.json`: a finished run tested on other data."""

    data: DataFacts
    clips: Annotated[Count, Field(ge=1)]
    accuracy: Share
    words: tuple[Line, ...]
    confusion_matrix: Matrix
    finished_at: Moment


class Heard(_Content):
    """What a network hears in one recording."""

    file: str
    error: str = ""
    """Why the file cannot be read."""
    seconds: Value = 0.0
    probabilities: dict[Line, Share] = {}
    """By word, the most probable first."""
    waveform: tuple[Share, ...] = ()
    """The largest samples of some stretches, which are of equal length."""


class ProgramResult(_Content):
    """The result of a program of the lab's own: what its `result.json` holds, as far as it can be used."""

    run: Line
    title: Line
    command: Command | None = None
    """None: the result was recorded, no job brought it."""
    metrics: Annotated[dict[Line, Value | Line | None], Field(max_length=1000)]
    """What the program measured, in its order; None is not known."""
    words: tuple[Line, ...] = ()
    confusion_matrix: Matrix | None = None
    notices: Annotated[tuple[Line, ...], Field(max_length=1000)] = ()
    """What could not be used, and why."""
    seconds: Value | None = None
    """From the start of the program to its end."""
    finished_at: Moment

    @property
    def clips(self) -> int:
        """How many samples the confusion matrix counts."""
        return sum(map(sum, self.confusion_matrix or ()))

    @property
    def accuracy(self) -> float | None:
        """The share of right predictions: the metric `test_accuracy` or `accuracy`, else that of the matrix."""
        for name in ("test_accuracy", "accuracy"):
            value = self.metrics.get(name)
            if isinstance(value, int | float) and 0 <= value <= 1:
                return value
        if not self.confusion_matrix or not self.clips:
            return None
        return sum(row[place] for place, row in enumerate(self.confusion_matrix)) / self.clips


class Exit(_Content):
    """The content of `exit.json`: how a program of the lab's own ended. It is written last."""

    status: Annotated[int, Field(strict=True, ge=0, le=255)] | None = None
    """None: a signal ended it, or it did not start."""
    signal: Annotated[int, Field(strict=True, ge=1, le=128)] | None = None
    reason: Line = ""
    """Why it did not start, or what else is known of its end."""
    ended_at: Moment

    @property
    def is_success(self) -> bool:
        return self.status == 0

    @property
    def in_words(self) -> str:
        """Such as `exit status 3`, or `killed by signal 9 (out of memory: the kernel's log says so)`."""
        return ended(self.status, self.signal, self.reason)


def ended(status: int | None, signal: int | None = None, reason: str = "") -> str:
    """How a process ended, in words; a shell tells of a signal by a status above 128."""
    detail = f" ({reason})" if reason else ""
    if signal is not None:
        return f"killed by signal {signal}{detail or _meaning(signal)}"
    if status is None:
        return reason
    if status - 128 in set(signals.Signals):
        return f"exit status {status}, which tells of signal {status - 128}{detail or _meaning(status - 128)}"
    return f"exit status {status}{detail}"


def _meaning(signal: int) -> str:
    """What a signal is sent for; empty where its number says all."""
    words = "" if signal == signals.SIGKILL else signals.strsignal(signal)
    return f" ({words.casefold()})" if words else ""


class Epoch(_Content):
    """One line of `history.jsonl`; None is not known."""

    epoch: Annotated[int, Field(strict=True, ge=1, le=100_000)]
    loss: Value | None = None
    train_accuracy: Share | None = None
    validation_loss: Value | None = None
    validation_accuracy: Share | None = None
    learning_rate: Value | None = None
    seconds: Value | None = None
    clips_per_second: Value | None = None


MetricLine = dict[str, float]
"""One line of the `history.jsonl` of a program of the lab's own: its numbers by name."""


class Prediction(_Content):
    """One row of `predictions.csv`: a test clip, `word/file.wav`."""

    clip: Line
    frames: Annotated[int, Field(ge=0)]
    """Samples before padding."""
    label: Line
    prediction: Line
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    """The probability that the network gave its prediction."""


class Filter(_Content):
    """One entry of `filters.json`: a filter of the first layer."""

    channel: Count
    centre_hz: Value | None
    """None: all its weights are zero."""
    weights: Annotated[tuple[Value, ...], Field(min_length=1, max_length=100_000)]


TIMED_OUT = "timed out"
"""The phase of a training that ended at its time limit."""


class Progress(_Content):
    """The content of `progress.json`: how far a training is. None is not known yet."""

    phase: Line | None = None
    epoch: Count | None = None
    epochs: Count | None = None
    fraction: Share | None = None
    loss: Value | None = None
    validation_accuracy: Share | None = None
    clips_per_second: Value | None = None
    seconds_left: Value | None = None


class BrokenFile(_Content):
    """A file of a run that cannot be read, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class RunContent:
    """Everything in a run folder that can be read; what does not exist yet is None or empty.

    Attributes:
        figures: names of the pictures, in the order in which they are shown.
        broken: the files that cannot be read.
        metrics: the lines of a program's history, whose names are the program's own.
    """

    recipe: Recipe | None
    result: RunResult | ProgramResult | None
    history: list[Epoch]
    predictions: list[Prediction]
    filters: list[Filter]
    figures: list[str]
    broken: list[BrokenFile]
    command: Command | None = None
    metrics: list[MetricLine] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
