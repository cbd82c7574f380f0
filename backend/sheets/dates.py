"""Dates in cells: as spreadsheets store them, and as people type them."""

import re
from datetime import date, datetime, time, timedelta, tzinfo

from backend.text import plain_text

EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's days have no zone
_YEARS = range(1970, 2200)
_MOST_DAYS = (date.max - EPOCH.date()).days
_DATES = (
    "%d.%m.%Y", "%d.%m.%y", "%Y.%m.%d", "%Y-%m-%d", "%Y/%m/%d",
    "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y",
)  # fmt: skip
_TIME = re.compile(r"(.+?),? (?:at )?(\d{1,2}):(\d{2})(?::(\d{2}))?(?: ?([ap])\.?m\.?)?", re.IGNORECASE)
_WITH_SLASHES = re.compile(r"(\d{1,2})([/-])(\d{1,2})\2(\d{4})")
_SHOWN_CHARACTERS = 40

Value = str | int | float | bool | None


def moment_of(cell: Value, zone: tzinfo) -> datetime:
    """The moment that a cell means.

    Args:
        cell: days since 1899-12-30, a number such as 20261203, or a date in text, perhaps with a time of day.
        zone: where a date without a zone holds.

    Returns:
        An aware moment. It is midnight where the cell holds no time of day.

    Raises:
        ValueError: the cell means no date, or it may mean two; in words, such as `no date in 'soon'`.
    """
    moment = None
    if isinstance(cell, str):
        moment = _from_text(" ".join(cell.split()))
    elif isinstance(cell, int | float) and not isinstance(cell, bool):
        moment = _from_number(cell)
    if moment is None or not _is_plausible(moment):
        raise ValueError(f"no date in {plain_text(str(cell), _SHOWN_CHARACTERS)!r}")
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _is_plausible(moment: datetime) -> bool:
    """Whether people mean this date. For "without an end" they type 2999-12-31, 3000-01-01 or 9999-12-31."""
    turn_of_year = (moment.month, moment.day) in ((12, 31), (1, 1))
    return moment.year in _YEARS or (moment.year >= _YEARS.stop and turn_of_year)


def _from_number(number: float) -> datetime | None:
    if not 0 <= number < 10**8:  # also what is no number (NaN)
        return None
    if number >= 10**7 and number == int(number):
        return _as_written(str(int(number)), "%Y%m%d")
    days, rest = divmod(number, 1)
    if days > _MOST_DAYS:
        return None
    seconds = min(round(86_400 * rest), 86_399)
    return EPOCH + timedelta(days=days, seconds=seconds)


def _from_text(text: str) -> datetime | None:
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return _from_number(float(text[:20]))
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    words, at = text, time()
    if match := _TIME.fullmatch(text):
        words, clock = match[1], _time_of_day(match)
        if clock is None:
            return None
        at = clock
    if match := _WITH_SLASHES.fullmatch(words):
        day = _day_or_month_first(match)
    else:
        day = next((day for form in _DATES if (day := _as_written(words, form))), None)
    return day and datetime.combine(day, at)


def _day_or_month_first(match: re.Match[str]) -> datetime | None:
    first, second, year = int(match[1]), int(match[3]), match[4]
    if first <= 12 and second <= 12 and first != second:
        raise ValueError(f"{match[0]!r} has two meanings, as day and month may come in either order")
    day, month = (second, first) if second > 12 else (first, second)
    return _as_written(f"{year}-{month}-{day}", "%Y-%m-%d")


def _time_of_day(match: re.Match[str]) -> time | None:
    hour, minute, second = int(match[2]), int(match[3]), int(match[4] or 0)
    if match[5]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match[5].casefold() == "p" else 0)
    try:
        return time(hour, minute, second)
    except ValueError:
        return None


def _as_written(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007 - the zone follows
    except ValueError:
        return None
