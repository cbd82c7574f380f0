"""The `history.jsonl` of a program of the lab's own: lines of numbers under the program's own names."""

import json
import math
from collections.abc import Iterable
from typing import Any

from models.result import Epoch, MetricLine
from models.run_folder import RunFolder, open_regular
from models.run_reader import parsed

LARGEST = 1e300
"""No number that is shown is as large: pictures could not be drawn."""
_MOST_EPOCHS = 100_000
_LONGEST = 200
_TAIL_BYTES = 64 << 10
_POSITIONS = ("epoch", "step")
"""Entries of a line of the history that say where it belongs."""
_EPOCH_NAMES: dict[str, tuple[str, ...]] = {
    "loss": ("loss", "train_loss", "training_loss"),
    "train_accuracy": ("train_accuracy", "training_accuracy", "train_acc", "accuracy", "acc"),
    "validation_loss": ("validation_loss", "val_loss", "valid_loss"),
    "validation_accuracy": ("validation_accuracy", "val_accuracy", "val_acc", "valid_accuracy"),
    "learning_rate": ("learning_rate", "lr"),
}
"""The usual names of what a training's learning curve shows."""


def read_metrics(folder: RunFolder) -> tuple[list[MetricLine], str]:
    """The lines of `history.jsonl`, and what is wrong with those that are left out. Raises: BrokenRunError."""
    return parsed(folder, folder.history_file, _lines) or ([], "")


def read_epochs(folder: RunFolder) -> list[Epoch]:
    """A program's history as that of a training, by the usual names. Raises: BrokenRunError."""
    return epochs_in(read_metrics(folder)[0])


def curves(lines: Iterable[MetricLine]) -> list[str]:
    """The names of what the lines measure, in the order in which they come first."""
    names = dict.fromkeys(name for line in lines for name in line)
    return [name for name in names if name not in _POSITIONS]


def last_epoch(folder: RunFolder) -> Epoch | None:
    """The newest line of the history; None where there is none that can be read."""
    epochs = epochs_in(_last_lines(folder))
    return epochs[-1] if epochs else None


def _lines(content: bytes) -> tuple[list[MetricLine], str]:
    """The lines that hold numbers; a last line that is not finished does not count."""
    found: list[MetricLine] = []
    faults: list[str] = []
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        if not line.strip():
            continue
        try:
            entries = json_object(line)
        except (ValueError, RecursionError):
            faults.append(f"line {number} is no JSON object")
            continue
        if strange := [name for name, value in entries.items() if _is_strange(value)]:
            faults.append(f"line {number}: {one_line(strange[0])} is no finite number below {LARGEST:g}")
        numbers = {name: number_in(value) for name, value in entries.items()}
        if known := {one_line(name): value for name, value in numbers.items() if value is not None}:
            found.append(known)
    if not faults:
        return found, ""
    rest = f" ({len(faults) - 1} more such lines)" if len(faults) > 1 else ""
    return found, f"{faults[0]}{rest}; the rest is shown"


def _is_strange(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and number_in(value) is None


def epochs_in(lines: Iterable[MetricLine]) -> list[Epoch]:
    """One entry a line, without those whose position does not grow."""
    epochs: list[Epoch] = []
    shift = 0
    for place, line in enumerate(lines, start=1):
        named = next((line[name] for name in _POSITIONS if name in line), place)
        if place == 1 and named == 0:
            shift = 1  # many count from zero
        at, last = named + shift, epochs[-1].epoch if epochs else 0
        if not last < at <= _MOST_EPOCHS or at != int(at):
            continue
        values = {field: _first_of(line, names) for field, names in _EPOCH_NAMES.items()}
        for field in ("train_accuracy", "validation_accuracy"):
            value = values[field]
            values[field] = value if value is not None and 0 <= value <= 1 else None
        epochs.append(Epoch.model_validate({"epoch": int(at), **values}))
    return epochs


def _first_of(line: MetricLine, names: Iterable[str]) -> float | None:
    return next((line[name] for name in names if name in line), None)


def _last_lines(folder: RunFolder) -> list[MetricLine]:
    """The last whole lines of the history; empty where they cannot be read."""
    try:
        with open_regular(folder.history_file) as history:
            size = history.seek(0, 2)
            history.seek(max(0, size - _TAIL_BYTES))
            content = history.read(_TAIL_BYTES)
    except (OSError, ValueError):
        return []
    if size > _TAIL_BYTES:
        content = content.partition(b"\n")[2]
    return _lines(content)[0]


def json_object(content: bytes) -> dict[str, Any]:
    """Raises: ValueError: it is no JSON object; RecursionError: it is nested too deeply."""
    facts = json.loads(content)
    if not isinstance(facts, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - a wrong value, which the reason tells
    return facts


def number_in(value: object) -> float | None:
    """A finite number, also alone in a list, as R writes it; None for all else."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) and abs(value) < LARGEST else None
    except OverflowError:  # an integer that is larger than any float
        return None


def one_line(text: str) -> str:
    """The text on one line of bounded length, without characters that do not print."""
    words = " ".join(text[: 10 * _LONGEST].split())
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
