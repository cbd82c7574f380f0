"""Dates in cells: as spreadsheets store them, and as people type them."""

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from backend.sheets.content import Value
from backend.sheets.date_words import Order, day_in_words, language_of, order_of, weekday_of
from backend.sheets.day_times import without_time
from backend.text import plain_text

EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's days have no zone
_YEARS = range(1970, 2200)
_MOST_DAYS = (date.max - EPOCH.date()).days
_NUMBERS = re.compile(r"(\d{1,4})\s?([./-])\s?(\d{1,2})\s?\2\s?(\d{1,4})\.?", re.ASCII)
_WITHOUT_YEAR = re.compile(r"\d{1,2}\s?[./-]\s?\d{1,2}[./]?", re.ASCII)
_WEEKDAY = re.compile(r"([^\W\d]+)[.,]*\s+(.+)|(.+?)[,\s]*\(([^\W\d]+)\.?\)")
_IS_PERIOD = re.compile(r"\s[-\u2013\u2014~]\s")
_NEAR_YEARS = 15
"""How far from now a year of two digits may be, where the numbers fit another order as well."""
_SHOWN_CHARACTERS = 40


class Moment(NamedTuple):
    """What a cell with a date means."""

    at: datetime
    """Aware; midnight where the cell holds no time of day."""
    has_time: bool
    doubt: str = ""
    """Why it may mean another day, such as `'3/4/2026' is read as 2026-03-04, by the locale en_US`."""

    @property
    def end(self) -> datetime:
        """Where a reservation until then ends: a day belongs to it."""
        return self.at if self.has_time else next_midnight(self.at)


class DateReader:
    """Reads the dates of one tab."""

    def __init__(self, locale: str, zone: tzinfo, today: date, cells: Iterable[Value] = ()) -> None:
        """`cells` are the tab's dates: `25/12/2026` among them tells in which order the others are written."""
        self.zone, self.today, self.language = zone, today, language_of(locale)
        self._locale = locale
        self._order: Order | None = None
        customary = order_of(locale)
        seen = {order for cell in cells if (order := self._only_order(cell))}
        self._is_certain = len(seen) == 1
        self._order = seen.pop() if self._is_certain else None if seen else customary
        self._stored_may_be_wrong = self._is_certain and None is not customary != self._order

    def moment(self, cell: Value) -> Moment:
        """The moment that a cell means.

        Args:
            cell: days since 1899-12-30, a number such as 20261203, or a date in text, perhaps with a time of day.

        Raises:
            ValueError: the cell means no date, or it may mean two; in words, such as `no date in 'soon'`.
        """
        found = None
        if isinstance(cell, str):
            found = self._from_text(" ".join(cell.split()))
        elif isinstance(cell, int | float) and not isinstance(cell, bool):
            found = self._from_number(cell)
        if found is None or not _is_plausible(found.at):
            raise ValueError(f"no date in {_quoted(cell)}")
        return found if found.at.tzinfo else found._replace(at=found.at.replace(tzinfo=self.zone))

    def day(self, year: int, month: int, day: int) -> datetime:
        """Midnight of a day in the tab's zone."""
        return datetime(year, month, day, tzinfo=self.zone)

    def _from_number(self, number: float) -> Moment | None:
        if not 0 <= number < 10**8:  # also what is no number (NaN)
            return None
        if number >= 10**7 and number == int(number):
            day = _day(int(number) // 10_000, int(number) // 100 % 100, int(number) % 100)
            return Moment(day, has_time=False) if day else None
        days, rest = divmod(number, 1)
        if days > _MOST_DAYS:
            return None
        seconds = min(round(86_400 * rest), 86_399)
        at = EPOCH + timedelta(days=days, seconds=seconds)
        doubt = ""
        if self._stored_may_be_wrong and at.day <= 12 and at.day != at.month:
            doubt = f"the locale {self._locale} made {at:%Y-%m-%d} of it, while other dates here are written "
            doubt += "day first" if self._order is Order.DAY_FIRST else "month first"
        return Moment(at, seconds > 0, doubt)

    def _from_text(self, text: str) -> Moment | None:
        if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
            return self._from_number(float(text[:20]))
        try:
            if "W" not in text.upper():
                return Moment(datetime.fromisoformat(text), ":" in text or "T" in text)
        except ValueError:
            pass
        words, time = without_time(text)
        day, doubt = self._day(words)
        if day is None:
            return None
        return Moment(day + (time or timedelta()), time is not None, doubt)

    def _day(self, text: str) -> tuple[datetime | None, str]:
        if match := _NUMBERS.fullmatch(text):
            return self._in_numbers(text, match)
        if match := _WEEKDAY.fullmatch(text):
            word, rest = match[1] or match[4], match[2] or match[3]
            if weekdays := weekday_of(word, self.language):
                day, doubt = self._day(rest)
                if day and day.weekday() not in weekdays:
                    raise ValueError(f"{_quoted(text)} is another day of the week")
                if day:
                    return day, doubt
        # dateparser takes the 27 of `Nov 25 - 27` for a year.
        in_words = None if _IS_PERIOD.search(text) else day_in_words(text, self.language)
        if in_words is None and self._lacks_year(text):
            raise ValueError(f"no year in {_quoted(text)}")
        return (_day(in_words.year, in_words.month, in_words.day) if in_words else None), ""

    def _lacks_year(self, text: str) -> bool:
        with_year = (f"{text} 2024", f"{text}, 2024")  # a year that has a 29 February
        return bool(_WITHOUT_YEAR.fullmatch(text)) or any(
            day_in_words(full, self.language) for full in with_year
        )

    def _in_numbers(self, text: str, match: re.Match[str]) -> tuple[datetime | None, str]:
        readings = self._readings(match)
        if len(set(readings.values())) < 2:
            return next(iter(readings.values()), None), ""
        if self._order not in readings:
            raise ValueError(f"{_quoted(text)} has two meanings, as day and month may come in either order")
        day = readings[self._order]
        by = f"by the locale {self._locale}"
        return day, "" if self._is_certain else f"{_quoted(text)} is read as {day:%Y-%m-%d}, {by}"

    def _readings(self, match: re.Match[str]) -> dict[Order, datetime]:
        """The days that three numbers may mean."""
        first, sign, second, third = match.groups()
        wanted: dict[Order, tuple[str, str, str]] = {}
        if len(first) <= 2 and len(third) in (2, 4):
            wanted[Order.DAY_FIRST] = (third, second, first)
            if sign != ".":
                wanted[Order.MONTH_FIRST] = (third, first, second)
        if len(third) <= 2 and len(first) in (2, 4):
            wanted[Order.YEAR_FIRST] = (first, second, third)
        found = {
            order: day
            for order, (year, month, number) in wanted.items()
            if (day := _day(int(year) + (2000 if len(year) == 2 else 0), int(month), int(number)))
            and (len(year) == 4 or abs(day.year - self.today.year) <= _NEAR_YEARS)
        }
        if sign == "." and self._order is not Order.YEAR_FIRST and Order.DAY_FIRST in found:
            return {Order.DAY_FIRST: found[Order.DAY_FIRST]}
        return found

    def _only_order(self, cell: Value) -> Order | None:
        """The order in which a date is written, where it fits one only."""
        if not isinstance(cell, str):
            return None
        match = _NUMBERS.fullmatch(without_time(" ".join(cell.split()))[0])
        readings = self._readings(match) if match and match[2] != "." and len(match[4]) > 1 else {}
        order = next(iter(readings), None) if len(readings) == 1 else None
        return None if order is Order.YEAR_FIRST else order


def next_midnight(at: datetime) -> datetime:
    """The end of the day of `at`, in its zone; the last moment of all where there is no next day."""
    try:
        return datetime.combine(at.date() + timedelta(days=1), datetime.min.time(), at.tzinfo)
    except OverflowError:
        return at.replace(hour=23, minute=59, second=59)


def _is_plausible(moment: datetime) -> bool:
    """Whether people mean this date. For "without an end" they type 2999-12-31, 3000-01-01 or 9999-12-31."""
    turn_of_year = (moment.month, moment.day) in ((12, 31), (1, 1))
    return moment.year in _YEARS or (moment.year >= _YEARS.stop and turn_of_year)


def _day(year: int, month: int, day: int) -> datetime | None:
    try:
        return datetime(year, month, day)  # noqa: DTZ001 - the zone follows
    except ValueError:
        return None


def _quoted(cell: Value) -> str:
    return repr(plain_text(str(cell), _SHOWN_CHARACTERS))
