"""What every analysis gives back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from models.explanation import Moment, Quantity, Value


class UnfitError(ValueError):
    """This analysis cannot be made of this network; the message says why."""


@dataclass
class Finding:
    """A table, a picture and the sentences beside them; see `models.explanation.Explanation`."""

    title: str
    read: str
    null: str
    columns: tuple[Quantity, ...]
    rows: Sequence[Sequence[Any]]
    picture: Figure
    clips: int = 0
    found: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def clean(value: Value) -> Value:
    """As it is stored."""
    match value:
        case bool() | str() | Moment() | None:
            return value
        case tuple():
            return tuple(_rounded(each) if math.isfinite(each) else 0.0 for each in value)
        case int():
            return value
        case _:
            return _rounded(float(value)) if math.isfinite(value) else None


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
