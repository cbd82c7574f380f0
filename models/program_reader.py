"""Reading the files of a program of the lab's own, which writes what it likes.

What can be used is used; each part that cannot is left out, and a notice names it. Needs neither numpy nor torch.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from models.command import Command
from models.program_history import (
    LARGEST,
    epochs_in,
    json_object,
    last_epoch,
    number_in,
    one_line,
    read_metrics,
)
from models.result import (
    BrokenFile,
    Exit,
    Matrix,
    ProgramResult,
    Progress,
    RunContent,
    RunResult,
)
from models.run_folder import RunFolder
from models.run_reader import (
    BrokenRunError,
    drawn,
    parsed,
    read_predictions,
    read_progress,
    read_result,
    read_run,
)

Content = TypeVar("Content")

_MOST_METRICS = 200
_MOST_WORDS = 1000
_MOST_NOTICES = 20
_RESERVED = ("metrics", "words", "confusion_matrix", "name", "finished_at", "seconds")
"""Entries of `result.json` that are no metrics."""


def is_program(folder: RunFolder) -> bool:
    """Whether the run is a program of the lab's own, or a recorded result; otherwise it is a training."""
    if folder.command_file.exists():
        return True
    if folder.recipe_file.exists():
        return False
    try:
        return b'"metrics"' in (parsed(folder, folder.result_file, bytes) or b"")
    except BrokenRunError:
        return False


def read_command(folder: RunFolder) -> Command | None:
    """The command, or None where there is none. Raises: BrokenRunError."""
    return parsed(folder, folder.command_file, Command.model_validate_json)


def read_exit(folder: RunFolder) -> Exit | None:
    """How the program ended, or None while it has not. Raises: BrokenRunError."""
    return parsed(folder, folder.exit_file, Exit.model_validate_json)


def read_any_result(folder: RunFolder) -> RunResult | ProgramResult | None:
    """The result of a finished training, or of a program that ended well. Raises: BrokenRunError."""
    if not is_program(folder):
        return read_result(folder)
    ended = read_exit(folder)
    if folder.command_file.exists() and not (ended and ended.is_success):
        return None
    return draft_result(folder, ended)


def draft_result(folder: RunFolder, ended: Exit | None = None) -> ProgramResult:
    """What the program has written into `result.json` so far. Raises: BrokenRunError."""
    command = read_command(folder)
    facts = parsed(folder, folder.result_file, json_object) or {}
    notices: list[str] = []
    words, matrix = _matrix(facts, notices)
    given = facts.get("metrics", {})
    if not isinstance(given, dict):
        notices.append("metrics: it is no object of names and values")
        given = {}
    flat = {name: value for name, value in facts.items() if name not in _RESERVED}
    name = facts.get("name")
    return ProgramResult(
        run=folder.id,
        title=command.title if command else one_line(name) if isinstance(name, str) else "recorded",
        command=command,
        metrics=_metrics(flat | given, notices),
        words=words,
        confusion_matrix=matrix,
        notices=tuple(notices[:_MOST_NOTICES]),
        seconds=number_in(facts.get("seconds")),
        finished_at=_moment(facts.get("finished_at")) or (ended.ended_at if ended else _written_at(folder)),
    )


def read_any_progress(folder: RunFolder) -> Progress:
    """How far the run is; of a program without `progress.json`, its last line of history. Raises: BrokenRunError."""
    if folder.progress_file.exists() or not folder.command_file.exists():
        return read_progress(folder)
    last = last_epoch(folder)
    if last is None:
        return Progress()
    phase = f"epoch {last.epoch}"
    return Progress(
        phase=phase, epoch=last.epoch, loss=last.loss, validation_accuracy=last.validation_accuracy
    )


def read_any_run(folder: RunFolder) -> RunContent:
    """Everything of the run that can be read, and what cannot; raises nothing."""
    if not is_program(folder):
        return read_run(folder)
    broken: list[BrokenFile] = []

    def read(content_of: Callable[[RunFolder], Content]) -> Content | None:
        try:
            return content_of(folder)
        except BrokenRunError as error:
            if error.broken not in broken:
                broken.append(error.broken)
            return None

    command, result, predictions = read(read_command), read(read_any_result), read(read_predictions)
    lines, fault = read(read_metrics) or ([], "")
    if fault:
        broken.append(BrokenFile(file=folder.history_file.name, reason=fault))
    return RunContent(
        recipe=None,
        result=result,
        history=epochs_in(lines),
        predictions=predictions or [],
        filters=[],
        figures=drawn(folder, broken),
        broken=broken,
        command=command,
        metrics=lines,
    )


def _metrics(facts: Mapping[str, Any], notices: list[str]) -> dict[str, float | str | None]:
    metrics: dict[str, float | str | None] = {}
    for name, value in facts.items():
        if len(metrics) == _MOST_METRICS:
            notices.append(f"only the first {_MOST_METRICS} of {len(facts):,} metrics are shown")
            break
        key = one_line(name)
        match value[0] if isinstance(value, list) and len(value) == 1 else value:  # R writes so
            case None:
                metrics[key] = None
            case bool() as flag:
                metrics[key] = "true" if flag else "false"
            case str() as text:
                metrics[key] = one_line(text)
            case int() | float() as number:
                metrics[key] = number_in(number)
                if metrics[key] is None:
                    notices.append(f"{key}: it is no finite number below {LARGEST:g}")
            case _:
                kind = "a list" if isinstance(value, list) else "an object"
                notices.append(f"{key}: {kind} is no metric; write each number under a name")
    return metrics


def _matrix(facts: Mapping[str, Any], notices: list[str]) -> tuple[tuple[str, ...], Matrix | None]:
    """The words and the confusion matrix; without words the rows are numbered."""
    rows, words = facts.get("confusion_matrix"), facts.get("words")
    if rows is None:
        return (), None
    reason = ""
    matrix = tuple(tuple(map(_count, row)) if isinstance(row, list) else () for row in _listed(rows))
    labels = tuple(map(_label, _listed(words))) if words is not None else tuple(map(str, range(len(matrix))))
    if not matrix or len(matrix) > _MOST_WORDS or {len(row) for row in matrix} != {len(matrix)}:
        reason = f"it is no square of 1 to {_MOST_WORDS} rows"
    elif any(count is None for row in matrix for count in row):
        reason = "a count is no whole number of 0 or more"
    elif len(labels) != len(matrix):
        reason = f"it has {len(matrix)} rows, and words has {len(labels)} entries"
    elif len(set(labels)) < len(labels):
        reason = "words has an entry twice"
    if reason:
        notices.append(f"confusion_matrix: {reason}")
        return (), None
    return labels, tuple(tuple(count or 0 for count in row) for row in matrix)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(value: object) -> int | None:
    number = number_in(value)
    return int(number) if number is not None and 0 <= number <= 2**53 and number == int(number) else None


def _label(value: object) -> str:
    return one_line(value if isinstance(value, str) else str(value)) or "(empty)"


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        is_possible = moment.tzinfo is not None and 1970 < moment.year < 9999
        return moment.astimezone(UTC) if is_possible else None
    except (ValueError, OverflowError):
        return None


def _written_at(folder: RunFolder) -> datetime:
    try:
        return datetime.fromtimestamp(int(folder.result_file.stat().st_mtime), UTC)
    except (OSError, OverflowError, ValueError):
        return datetime.now(UTC).replace(microsecond=0)
