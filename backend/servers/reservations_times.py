"""From when to when a row of a list reserves a server."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from backend.sheets.content import Value
from backend.sheets.dates import DateReader, Moment
from backend.sheets.day_times import time_of, time_range_of
from backend.text import plain_text

_BETWEEN = re.compile(
    r"\s+(?:-|–|—|~|to|until|till|through|thru|bis|au|à|al|a|hasta|até|tot|do|->|→)\s+|\s*(?:–|—|~|〜|→|->)\s*|-",
    re.IGNORECASE,
)


_LENGTH = re.compile(r"(\d{1,4}(?:[.,]\d{1,2})?)\s*([^\W\d]*)\.?")
_UNITS = (
    ("w|wk|wks|weeks?|wochen?|semaines?|semanas?|settiman[ae]|weken", timedelta(weeks=1)),
    ("d|days?|tage?|jours?|d[ií]as?|giorn[oi]|dagen|nights?|일|天|日", timedelta(days=1)),
    ("h|hrs?|hours?|std|stunden?|heures?|horas?|or[ae]|uur|시간|小时|時間", timedelta(hours=1)),
    ("min|mins|minutes?|minuten", timedelta(minutes=1)),
)
_BEFORE = re.compile(
    r"(?:until|till|to|by|bis zum|bis|from|since|starting|ab|von|vom|seit|jusqu['’]au|au|hasta|desde|dal|al|fino al)\s+",
    re.IGNORECASE,
)


class Cell(NamedTuple):
    value: Value = None
    text: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.text


class Span(NamedTuple):
    """From `start` to `end`, without a limit where that is None."""

    start: datetime | None
    end: datetime | None
    doubts: tuple[str, ...] = ()


def span_of(cells: Mapping[str, Cell], reader: DateReader, *, has_days: bool = False, unit: str = "") -> Span:
    """The span that the cells of a row name, by their roles.

    Args:
        cells: those of `start`, `end`, `day`, `time`, `length`, `start time` and `end time`.
        reader: reads the dates.
        has_days: whether the list has a column of days.
        unit: the header above the lengths.

    Raises:
        ValueError: a cell is not understood, or the end is not after the start; in words.
    """
    start, end, day, time = (cells.get(role, Cell()) for role in ("start", "end", "day", "time"))
    if not day.is_empty:
        try:
            span = _within_days(start, end, day, time, reader)
        except ValueError:
            if start.is_empty or end.is_empty or not (is_date(start, reader) and is_date(end, reader)):
                raise
            span = _from_to(start, end, reader)  # both ends have dates: the day may be its weekday
    elif has_days and start.is_empty and end.is_empty:
        raise ValueError("no date")
    elif has_days or not time.is_empty:
        if start.is_empty or not is_date(start, reader):
            raise ValueError("no date")
        span = _from_to(start, end, reader)
    else:
        span = _from_to(start, end, reader)
    span = _with_clocks(span, cells, reader)
    length = cells.get("length", Cell())
    if not length.is_empty and end.is_empty and time.is_empty:
        if span.start is None:
            raise ValueError("no date")
        span = span._replace(end=_later(span.start, _length(length.text, unit)))
    if span.start and span.end and span.end <= span.start:
        raise ValueError(f"it ends ({_last(span.end)}) before it begins ({span.start:%Y-%m-%d %H:%M})")
    return span


def _last(end: datetime) -> str:
    """The end as people write it: midnight is the end of the day before."""
    is_midnight = (end.hour, end.minute) == (0, 0)
    return f"{end - timedelta(days=1):%Y-%m-%d}" if is_midnight else f"{end:%Y-%m-%d %H:%M}"


def _with_clocks(span: Span, cells: Mapping[str, Cell], reader: DateReader) -> Span:
    """The span with the times of day that have columns of their own."""
    for role in ("start", "end"):
        cell, date = cells.get(f"{role} time", Cell()), cells.get(role, Cell())
        if cell.is_empty:
            continue
        clock = time_of(cell.value, cell.text, alone=True)
        if clock is None:
            raise ValueError(f"no time in {plain_text(cell.text, 40)!r}")
        day = span.start if role == "start" or date.is_empty else _moment(date, reader).at
        if day is None:
            raise ValueError("no date")
        at = _at(day, clock or timedelta(days=role == "end"))
        span = span._replace(start=at) if role == "start" else span._replace(end=at)
    return span


def _length(text: str, unit: str) -> timedelta:
    """`3 days`, `2 weeks`, `4 h`; a number alone counts what the header says."""
    match = _LENGTH.fullmatch(" ".join(text.casefold().split()))
    if match:
        words = match[2] or unit.casefold()
        for names, one in _UNITS:
            if re.search(rf"\b(?:{names})\b", words):
                return float(match[1].replace(",", ".")) * one
    raise ValueError(f"no length of time in {plain_text(text, 40)!r}")


def _later(at: datetime, length: timedelta) -> datetime:
    """By the clock on the wall."""
    try:
        return (at.replace(tzinfo=None) + length).replace(tzinfo=at.tzinfo)
    except OverflowError:
        raise ValueError("no length of time") from None


def _from_to(start: Cell, end: Cell, reader: DateReader) -> Span:
    if start.is_empty and end.is_empty:
        return Span(None, None)
    if end.is_empty and (both := _period(start, reader)):
        return both
    first = None if start.is_empty else _moment(start, reader)
    if end.is_empty:
        return Span(first and first.at, None, _doubts(first))
    if first and (clock := time_of(end.value, end.text)) is not None and not is_date(end, reader):
        return Span(first.at, _at(first.at, clock or timedelta(days=1)), _doubts(first))
    last = _moment(end, reader)
    return Span(first and first.at, last.end, _doubts(first, last))


def _within_days(start: Cell, end: Cell, day: Cell, time: Cell, reader: DateReader) -> Span:
    """The span of a row with a day, whose `start` and `end` may be times of it."""
    period = _period(day, reader)
    if period is None and _BEFORE.match(day.text):
        raise ValueError(f"{plain_text(day.text, 40)!r} is no day")
    first = None if period else _moment(day, reader)
    begins = period.start if period else first and first.at
    ends = (
        period.end
        if period
        else first and (first.end if not first.has_time else _at(first.at, timedelta(days=1)))
    )
    if begins is None or ends is None:
        raise ValueError(f"no date in {day.text!r}")
    last = ends - timedelta(seconds=1)
    doubts = period.doubts if period else _doubts(first)
    if not time.is_empty:
        clocks = time_range_of(time.text)
        if clocks is None:
            clock = time_of(time.value, time.text, alone=True)
            if clock is None:
                raise ValueError(f"no time in {time.text!r}")
            clocks = (clock, timedelta(days=1))
        begins, ends = _at(begins, clocks[0]), _at(last, clocks[1])
    if not start.is_empty:
        clock = time_of(start.value, start.text, alone=True)
        if clock is not None:
            begins = _at(begins, clock)
        else:
            found = _moment(start, reader)
            begins, doubts = found.at, (*doubts, *_doubts(found))
    if not end.is_empty:
        clock = time_of(end.value, end.text, alone=True)
        if clock is not None:
            ends = _at(last, clock or timedelta(days=1))
        else:
            found = _moment(end, reader)
            ends, doubts = found.end, (*doubts, *_doubts(found))
    return Span(begins, ends, doubts)


def _period(cell: Cell, reader: DateReader) -> Span | None:
    """`2026-03-04 - 2026-03-06`, `4.-6.3.2026`, `Mar 4-6, 2026`, `2026-03-04 9:00-12:00`; None: no such pair."""
    if not isinstance(cell.value, str):
        return None
    text = " ".join(re.sub(r"^(?:from|von|du|del|dal|de)\s+", "", cell.text, flags=re.IGNORECASE).split())
    for match in _BETWEEN.finditer(text):
        for left, right in _halves(text[: match.start()].strip(), text[match.end() :].strip()):
            try:
                first = reader.moment(left)
                clock = time_of(None, right)
                if clock is not None and first.has_time:
                    return Span(first.at, _at(first.at, clock or timedelta(days=1)), _doubts(first))
                last = reader.moment(right)
            except ValueError:
                continue
            return Span(first.at, last.end, _doubts(first, last))
    return None


def _halves(left: str, right: str) -> Iterator[tuple[str, str]]:
    """Two dates, each completed from the other: `4.` from `6.3.2026`, and `6, 2026` from `Mar 4`."""
    if not left or not right:
        return
    yield left, right
    if re.fullmatch(r"\d{1,2}\.?", left) and (match := re.fullmatch(r"\d{1,2}(\D.*)", right)):
        yield f"{left.rstrip('.')}{match[1]}", right
    if re.fullmatch(r"\d{1,2}[./-]\d{1,2}\.?", left) and (match := re.fullmatch(r".*([./-]\d{4})", right)):
        yield f"{left.rstrip('.')}{match[1]}", right
    if match := re.fullmatch(r"(.*?)[,\s]*(\d{4})", right):
        yield f"{left} {match[2]}", right
        if (word := re.fullmatch(r"(\D+?)\s*\d{1,2}", left)) and re.fullmatch(r"\d{1,2}", match[1].strip()):
            yield f"{left}, {match[2]}", f"{word[1]} {match[1].strip()}, {match[2]}"


def _moment(cell: Cell, reader: DateReader) -> Moment:
    try:
        return reader.moment(_BEFORE.sub("", cell.text, count=1) if _BEFORE.match(cell.text) else cell.value)
    except ValueError:
        if not isinstance(cell.value, str) and cell.text and not cell.text.isdigit():
            return reader.moment(cell.text)
        raise


def is_date(cell: Cell, reader: DateReader) -> bool:
    """Whether a cell holds a date, though perhaps one with two meanings."""
    try:
        _moment(cell, reader)
    except ValueError as error:
        return "no date" not in str(error)
    return True


def _at(day: datetime, clock: timedelta) -> datetime:
    """A time of day, by the clock on the wall."""
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the zone follows
    return (midnight + clock).replace(tzinfo=day.tzinfo)


def _doubts(*moments: Moment | None) -> tuple[str, ...]:
    return tuple(moment.doubt for moment in moments if moment and moment.doubt)
