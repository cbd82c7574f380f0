"""The days that the headers of a week grid name."""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from backend.sheets.content import Value
from backend.sheets.date_words import weekday_of, weekdays_of
from backend.sheets.dates import DateReader, Moment

_WEEK = re.compile(
    r"\b(?:week|kw|cw|wk|semaine|semana|settimana|woche|vecka|uge|uke)\s*(\d{1,2})\b(?:\D+(20\d\d))?"
    r"|\b(20\d\d)-?w(\d{1,2})\b",
    re.IGNORECASE,
)
_WEEK_OF = re.compile(
    r"^(?:week|woche|semaine|semana|w/c)(?:\s+(?:of|from|starting|vom|ab|du|del|de))?:?\s+", re.IGNORECASE
)
_FULL_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")
_DAY_AND_MONTH = re.compile(r"(\d{1,2})\s?([./-])\s?(\d{1,2})[./]?", re.ASCII)
_LONGEST = 40


class Day(NamedTuple):
    """A day in the tab's zone."""

    at: datetime
    doubt: str = ""


def day_of(value: Value, text: str, reader: DateReader) -> Day | None:
    """The day that a header names with its date, None if it names none.

    A year is added where there is none: the one whose weekday fits, or else the nearest, which is told as a doubt.
    """
    is_number = isinstance(value, int | float)  # a day may be shown as `Mon`
    if not (is_number or re.search(r"\d", text)) or len(text) > _LONGEST:
        return None
    for candidate in (value, text, re.sub(r"[()]", " ", text)):
        try:
            found: Moment = reader.moment(candidate)
        except ValueError:
            continue
        return None if found.has_time else Day(found.at, found.doubt)
    return _completed(" ".join(re.sub(r"[()]", " ", text).split()), reader)


def _completed(text: str, reader: DateReader) -> Day | None:
    years = (reader.today.year, reader.today.year + 1, reader.today.year - 1)
    first, _, rest = text.partition(" ")
    weekdays = weekday_of(first, reader.language) if rest else frozenset()
    wanted = rest if weekdays else text
    match = _DAY_AND_MONTH.fullmatch(wanted)
    found = []
    for year in years:
        full = f"{match[1]}{match[2]}{match[3]}{match[2]}{year}" if match else f"{wanted} {year}"
        try:
            at, _, doubt = reader.moment(full)
        except ValueError:
            continue
        if not weekdays or at.weekday() in weekdays:
            found.append(Day(at, doubt))
    if not found:
        return None
    near = min(found, key=lambda day: abs(day.at.date() - reader.today))
    return near if weekdays else Day(near.at, "its days have no year, and are read as those nearest to today")


def weekday_run(texts: Sequence[str], reader: DateReader) -> list[int | None]:
    """The days since the Monday of the first week that weekdays name, in their order; None: no weekday."""
    run: list[int | None] = []
    last, week = -1, 0
    for day in weekdays_of(texts, reader.language):
        if day is None:
            run.append(None)
            continue
        week += 7 if day < last else 0
        last = day
        run.append(week + day)
    return run


def first_monday(titles: Sequence[str], reader: DateReader) -> datetime | None:
    """The Monday of the week that a title names, such as `Week 48` or `Week of 2026-11-23`; None: none does."""
    for title in titles:
        if match := _WEEK.search(title):
            week, year = (
                int(match[1] or match[4]),
                int(match[2] or match[3] or reader.today.isocalendar().year),
            )
            try:
                monday = date.fromisocalendar(year, week, 1)
            except ValueError:
                continue
            return reader.day(monday.year, monday.month, monday.day)
        date_in_numbers = _FULL_DATE.search(title)
        for text in (date_in_numbers[0] if date_in_numbers else "", _WEEK_OF.sub("", title)):
            try:
                at = reader.moment(text).at
            except ValueError:
                continue
            return at - timedelta(days=at.weekday())
    return None


def this_monday(reader: DateReader) -> datetime:
    monday = reader.today - timedelta(days=reader.today.weekday())
    return reader.day(monday.year, monday.month, monday.day)
