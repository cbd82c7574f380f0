"""Fields of a recipe that vary over the trainings of a sweep: drawn at random, or every combination of a list."""

import math
import random
from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

from models.recipe import FILLED_IN, Recipe

_EVEN_IN_LOG = ("learning_rate", "batch_size", "training_clips", "epochs")
"""Twice as much matters there as much as half."""
_GIVEN_APART = {"depth": "--depth", "batch_norm": "--batch-norm", "seed": "--seeds"}
_NOT_VARIED = ("name", "data", "architecture", *FILLED_IN)


class Range(NamedTuple):
    """From `low` to `high`, both included; `is_log`: evenly in the logarithm."""

    low: float
    high: float
    is_log: bool
    is_whole: bool

    def draw(self, source: random.Random) -> float | int:
        """A number of the range with three digits, so that people can read it."""
        if self.is_log:
            value = math.exp(source.uniform(math.log(self.low), math.log(self.high)))
        else:
            value = source.uniform(self.low, self.high)
        value = round(value) if self.is_whole else float(f"{value:.3g}")
        return min(max(value, self.low), self.high) if not self.is_whole else value


def parsed(field: str, text: str) -> Range | tuple[str, ...]:
    """What `1e-4..1e-2` or `32,64,128` means for a field of a recipe.

    Raises:
        ValueError: the field does not vary, or the text means nothing.
    """
    if field in _GIVEN_APART:
        raise ValueError(f"{field} has an option of its own: {_GIVEN_APART[field]}")
    if field not in Recipe.model_fields or field in _NOT_VARIED:
        offered = [name for name in Recipe.model_fields if name not in (*_NOT_VARIED, *_GIVEN_APART)]
        raise ValueError(f"{field!r} is nothing that varies: choose from {', '.join(offered)}")
    first, dots, last = text.partition("..")
    if not dots:
        choices = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        if not choices:
            raise ValueError(f"{field} has no choice: write a range such as 1e-4..1e-2, or 32,64,128")
        return choices
    try:
        low, high = float(first), float(last)
    except ValueError:
        raise ValueError(f"{text!r} is no range such as 1e-4..1e-2") from None
    is_log = field in _EVEN_IN_LOG
    if not (low < high < math.inf) or (is_log and low <= 0):
        raise ValueError(
            f"{text!r} is no range of {field}: it goes from a smaller number up{' and above 0' * is_log}"
        )
    return Range(low, high, is_log, int in _kinds(field))


def choices(vary: Mapping[str, str], trials: int | None, seed: int) -> list[dict[str, object]]:
    """The values of each training: `trials` random draws, or every combination of the listed values.

    More trials with the same seed begin with the same draws.

    Raises:
        ValueError: as `parsed`, or a range has no number of trials.
    """
    known = {field: parsed(field, text) for field, text in sorted(vary.items())}
    if trials is None:
        if ranges := [field for field, values in known.items() if isinstance(values, Range)]:
            raise ValueError(f"{ranges[0]} is a range: say how many trainings to draw, with trials")
        return [dict(zip(known, values, strict=True)) for values in product(*known.values())]
    source = random.Random(seed)  # noqa: S311 - to be the same again
    return [
        {
            field: values.draw(source) if isinstance(values, Range) else source.choice(values)
            for field, values in known.items()
        }
        for _ in range(trials)
    ]


def in_words(vary: Mapping[str, str], trials: int | None, seed: int) -> str:
    """Tells what varies and how: `20 draws with seed 0: learning_rate 1e-4..1e-2 (evenly in its logarithm)`."""
    parts = []
    for field, text in sorted(vary.items()):
        known = parsed(field, text)
        how = " (evenly in its logarithm)" if isinstance(known, Range) and known.is_log else ""
        parts.append(f"{field} {text}{how}")
    begin = f"{trials} draws with seed {seed}" if trials else "Every combination"
    return f"{begin}: {', '.join(parts)}."


def _kinds(field: str) -> tuple[object, ...]:
    annotation = Recipe.model_fields[field].annotation
    return (annotation, *getattr(annotation, "__args__", ()))
