"""Times of day in cells, as the time since midnight. An end may be 24:00."""

import re
from datetime import timedelta

from backend.sheets.content import Value

_WORD = r"(?:at |um |à |às |a las |alle |om |kl\.? ?|klo |ab )?"
_CLOCK = r"(\d{1,2})(?:[:h.](\d{2})(?::(\d{2}))?)?"
_SIGN = r"\s?(am|pm|a\.m\.|p\.m\.|uhr|h|時|时|시|点)?"
_ALONE = re.compile(rf"{_WORD}{_CLOCK}{_SIGN}", re.IGNORECASE)
_AT_THE_END = re.compile(rf"(.*?[^\s,])(?:,\s*|\s+){_WORD}{_CLOCK}{_SIGN}", re.IGNORECASE)
_AT_THE_START = re.compile(rf"{_WORD}{_CLOCK}{_SIGN}(?:,\s*|\s+)(\S.*)", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*(?:-|–|—|~|〜|\bto\b|\buntil\b|\bbis\b|\bà\b|\ba\b|->|→)\s*", re.IGNORECASE)
_DAY = timedelta(days=1)
_NOON = timedelta(hours=12)
_PARTS_OF_DAY = {
    **dict.fromkeys(
        [
            "am",
            "a.m.",
            "morning",
            "mornings",
            "vormittag",
            "vormittags",
            "matin",
            "mañana",
            "mattina",
            "manhã",
            "ochtend",
            "上午",
            "午前",
            "오전",
        ],
        (timedelta(), _NOON),
    ),
    **dict.fromkeys(
        [
            "pm",
            "p.m.",
            "afternoon",
            "afternoons",
            "nachmittag",
            "nachmittags",
            "après-midi",
            "tarde",
            "pomeriggio",
            "middag",
            "下午",
            "午後",
            "오후",
        ],
        (_NOON, _DAY),
    ),
    **dict.fromkeys(
        [
            "all day",
            "whole day",
            "full day",
            "full",
            "ganztägig",
            "ganztags",
            "ganzer tag",
            "journée",
            "toute la journée",
            "todo el día",
            "tutto il giorno",
            "全天",
            "終日",
            "종일",
        ],
        (timedelta(), _DAY),
    ),
}


def time_of(cell: Value, text: str, *, alone: bool = False) -> timedelta | None:
    """The time of day of a cell, None if it holds none.

    Args:
        cell: a part of a day, from 0 to 1, or a text.
        text: what the cell shows.
        alone: whether an hour may stand alone, as in `9`.
    """
    if isinstance(cell, int | float) and (cell > 1 and not (alone and cell in range(25))):
        return None  # a day, which may be shown as 09.11
    if match := _ALONE.fullmatch(" ".join(text.split())):
        found = _time(*match.groups(), alone=alone)
        if found is not None:
            return found
    return _part_of_day(cell)


def time_range_of(text: str) -> tuple[timedelta, timedelta] | None:
    """`9:00-12:00`, `9-17`, `9am to 5pm`, or half a day such as `AM`; None: something else."""
    if half := _PARTS_OF_DAY.get(" ".join(text.casefold().split())):
        return half
    parts = _BETWEEN.split(" ".join(text.split()))
    if len(parts) != 2:
        return None
    first, last = (time_of(None, part, alone=True) for part in parts)
    return None if first is None or last is None else (first, last or _DAY)


def without_time(text: str) -> tuple[str, timedelta | None]:
    """A text without the time of day that ends or begins it, and that time."""
    if match := _AT_THE_END.fullmatch(text):
        rest, *clock = match.groups()
        if (found := _time(*clock)) is not None:
            return rest, found
    if match := _AT_THE_START.fullmatch(text):
        *clock, rest = match.groups()
        if (found := _time(*clock)) is not None:
            return rest, found
    return text, None


def _time(
    hours: str, minutes: str | None, seconds: str | None, sign: str | None, *, alone: bool = False
) -> timedelta | None:
    if not (minutes or sign or alone):
        return None
    hour, minute, second = int(hours), int(minutes or 0), int(seconds or 0)
    half = (sign or "").casefold().replace(".", "")
    if half in ("am", "pm"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    at = timedelta(hours=hour, minutes=minute, seconds=second)
    return at if minute < 60 and second < 60 and at <= _DAY else None


def _part_of_day(cell: Value) -> timedelta | None:
    if isinstance(cell, str):
        cell = float(cell) if re.fullmatch(r"[01]\.\d+", cell.strip(), re.ASCII) else None
    if cell is None or isinstance(cell, bool) or not 0 <= cell <= 1:
        return None
    return timedelta(seconds=round(86_400 * cell))
