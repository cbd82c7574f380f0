"""Reading a run's files. Needs neither numpy nor torch.

Whatever is wrong with a file (a folder in its place, no permission, too large, no text, no JSON, or content
that fits no run), it is a `BrokenRunError` that names the file and the reason.
"""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from models.recipe import Recipe
from models.result import BrokenFile, Epoch, Evaluation, Filter, Prediction, Progress, RunContent, RunResult
from models.run_folder import RunFolder, open_regular

Content = TypeVar("Content")
Parser = Callable[[bytes], Content]

_MOST_BYTES = 16 << 20
_MOST_PREDICTION_BYTES = 128 << 20
_MOST_REASON = 300
_OLD_COLUMNS = {"actual": "label", "heard": "prediction", "probability": "confidence"}
_BEGINNINGS = {".png": b"\x89PNG\r\n\x1a\n", ".npz": b"PK", ".pt": b"PK"}
"""How files begin that are not read here."""

_PICTURE_NAME = re.compile(r"\w{1,60}")

EVALUATIONS = TypeAdapter(list[Evaluation])
_FILTERS = TypeAdapter(list[Filter])
_PREDICTIONS = TypeAdapter(list[Prediction])
_FACTS = TypeAdapter(dict[str, Any])


class BrokenRunError(ValueError):
    """A file of a run cannot be read; the message is one sentence for people."""

    def __init__(self, run: str, file: str, reason: str) -> None:
        self.broken = BrokenFile(file=file, reason=reason)
        super().__init__(
            f"{file} of run {run} cannot be read ({reason}): restore the file, or train the recipe again"
        )


def read_recipe(folder: RunFolder) -> Recipe | None:
    """The recipe, or None where there is none. Raises: BrokenRunError."""
    return parsed(folder, folder.recipe_file, Recipe.model_validate_json)


def read_result(folder: RunFolder) -> RunResult | None:
    """The result, or None while the run is not finished. Raises: BrokenRunError."""
    return parsed(folder, folder.result_file, RunResult.model_validate_json)


def read_history(folder: RunFolder) -> list[Epoch]:
    """One entry an epoch so far; a last line that is not finished does not count. Raises: BrokenRunError."""
    return parsed(folder, folder.history_file, _epochs) or []


def read_predictions(folder: RunFolder) -> list[Prediction]:
    """One entry a test clip; empty while the run is not tested. Raises: BrokenRunError."""
    return parsed(folder, folder.predictions_file, _predictions, _MOST_PREDICTION_BYTES) or []


def read_filters(folder: RunFolder) -> list[Filter]:
    """The filters of the first layer; empty before they are drawn. Raises: BrokenRunError."""
    return parsed(folder, folder.filters_file, _filters) or []


def read_evaluations(folder: RunFolder) -> list[Evaluation]:
    """The tests of the run on other data, the newest last. Raises: BrokenRunError."""
    return parsed(folder, folder.evaluations_file, EVALUATIONS.validate_json) or []


def read_progress(folder: RunFolder) -> Progress:
    """How far the training is. Raises: BrokenRunError."""
    return parsed(folder, folder.progress_file, Progress.model_validate_json) or Progress()


def read_environment(folder: RunFolder) -> dict[str, Any]:
    """The machine and the versions; empty before the training starts. Raises: BrokenRunError."""
    return parsed(folder, folder.environment_file, _FACTS.validate_json) or {}


def read_run(folder: RunFolder) -> RunContent:
    """Everything of the run that can be read, and what cannot; raises nothing."""
    broken: list[BrokenFile] = []

    def read(file: Path, parse: Parser[Content], most_bytes: int = _MOST_BYTES) -> Content | None:
        try:
            return parsed(folder, file, parse, most_bytes)
        except BrokenRunError as error:
            broken.append(error.broken)
            return None

    recipe = read(folder.recipe_file, Recipe.model_validate_json)
    result = read(folder.result_file, RunResult.model_validate_json)
    history = read(folder.history_file, _epochs)
    predictions = read(folder.predictions_file, _predictions, _MOST_PREDICTION_BYTES)
    filters = read(folder.filters_file, _filters)
    evaluations = read(folder.evaluations_file, EVALUATIONS.validate_json)
    read(folder.environment_file, _FACTS.validate_json)
    if result and history is not None and len(history) != result.epochs:
        reason = f"it has {len(history):,} of {result.epochs:,} epochs"
        broken.append(BrokenFile(file=folder.history_file.name, reason=reason))
    if result and predictions is not None and len(predictions) != result.test_clips:
        reason = f"it has {len(predictions):,} of {result.test_clips:,} test clips"
        broken.append(BrokenFile(file=folder.predictions_file.name, reason=reason))
    figures = drawn(folder, broken)
    others = (folder.analysis_file, folder.checkpoint_file, folder.start_file)
    broken += [BrokenFile(file=file.name, reason=reason) for file in others if (reason := _fault(file))]
    return RunContent(
        recipe,
        result,
        history or [],
        predictions or [],
        filters or [],
        figures,
        broken,
        evaluations=evaluations or [],
    )


def drawn(folder: RunFolder, broken: list[BrokenFile]) -> list[str]:
    """The names of the run's pictures, in the order in which they are shown; adds to `broken` what is no picture."""
    figures = []
    for file in folder.drawn():
        is_named = _PICTURE_NAME.fullmatch(file.stem)
        reason = _fault(file) if is_named else "name it with at most 60 letters, digits and underscores"
        if reason:
            broken.append(BrokenFile(file=str(file.relative_to(folder.path)), reason=reason))
        else:
            figures.append(file.stem)
    return figures


def parsed(
    folder: RunFolder, file: Path, parse: Parser[Content], most_bytes: int = _MOST_BYTES
) -> Content | None:
    """What `parse` makes of the file's content, None where there is no such file.

    Raises:
        BrokenRunError: the file cannot be read, or `parse` raises, whatever it raises.
    """
    try:
        return parse(_content(file, most_bytes))
    except FileNotFoundError:
        return None
    except Exception as error:  # content from outside may break its parser in any way
        raise BrokenRunError(folder.id, file.name, _reason(error)) from error


def _content(file: Path, most_bytes: int) -> bytes:
    with open_regular(file) as opened:
        content = opened.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"it is larger than {most_bytes >> 20} MiB")
    if not content and file.suffix != ".jsonl":  # which is empty before the first epoch
        raise ValueError("it is empty")
    return content


def _fault(file: Path) -> str:
    """What is wrong with a file that only others read; empty where nothing is, and where there is no file."""
    expected = _BEGINNINGS[file.suffix]
    try:
        with open_regular(file) as opened:
            beginning = opened.read(len(expected))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        return _reason(error)
    if not beginning:
        return "it is empty"
    return "" if beginning == expected else f"it is no {file.suffix[1:].upper()} file"


def _reason(error: Exception) -> str:
    """The error in one line, without the content that caused it."""
    match error:
        case ValidationError():
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
        case OSError():
            reason = error.strerror or type(error).__name__
        case UnicodeDecodeError():
            reason = "it is no UTF-8 text"
        case _:
            reason = str(error) or type(error).__name__
    line = " ".join(reason.split())
    return line if len(line) <= _MOST_REASON else f"{line[:_MOST_REASON]}..."


def _epochs(content: bytes) -> list[Epoch]:
    epochs = []
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            epoch = Epoch.model_validate_json(line)
        except ValidationError as error:
            raise ValueError(f"line {number}: {_reason(error)}") from None
        if epoch.epoch != number:
            raise ValueError(f"line {number}: epoch {epoch.epoch} is not the next one")
        epochs.append(epoch)
    return epochs


def _predictions(content: bytes) -> list[Prediction]:
    if not content.endswith(b"\n"):
        raise ValueError("it is cut off")
    rows = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    columns = [_OLD_COLUMNS.get(column, column) for column in next(rows)]
    if missing := [name for name in Prediction.model_fields if name not in columns]:
        raise ValueError(f"it has no column {missing[0]}")
    entries = []
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"line {rows.line_num}: {len(row)} columns instead of {len(columns)}")
        entries.append(dict(zip(columns, row, strict=True)))
    return _PREDICTIONS.validate_python(entries)


def _filters(content: bytes) -> list[Filter]:
    filters = _FILTERS.validate_json(content)
    if len({len(entry.weights) for entry in filters}) > 1:
        raise ValueError("its filters have different lengths")
    return filters
