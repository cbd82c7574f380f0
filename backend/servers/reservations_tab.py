"""Reservations as the lab's own tab has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import NamedTuple

from backend.errors import NotFoundError
from backend.settings import ReservationSettings
from backend.sheets.dates import Value, moment_of
from backend.sheets.people import find_header
from backend.text import plain_text

_HEADERS = {
    "person": (
        "user", "person", "who", "reserved by", "reserved for", "booked by", "owner", "used by", "name"
    ),
    "start": ("from", "start", "since", "begin", "start date", "date"),
    "end": ("until", "end", "to", "till", "end date", "due"),
}  # fmt: skip
"""The usual headers of each column. The first that the tab has is taken."""
_LONGEST_NAME = 100


@dataclass(frozen=True)
class Reservation:
    """A server, or some of its GPUs, that a person has from `start` to `end`, without a limit where that is None."""

    server: str
    person: str
    start: datetime | None = None
    end: datetime | None = None
    gpus: tuple[int, ...] | None = None
    """The indices of the GPUs, in increasing order; None: the whole server."""

    def covers(self, moment: datetime) -> bool:
        return (self.start is None or self.start <= moment) and (self.end is None or moment < self.end)


class Understood(NamedTuple):
    """What a tab of reservations says."""

    reservations: list[Reservation]
    problems: list[str]
    """Each row that is not understood, such as `row 4: no date in 'soon'`. It reserves nothing."""


def reservations(rows: Sequence[Sequence[Value]], settings: ReservationSettings, zone: tzinfo) -> Understood:
    """Every row that names a server and a person; dates hold in `zone`.

    Raises:
        NotFoundError: a column that the settings name is missing, or the servers' or the people's.
    """
    texts = [["" if value is None else str(value).strip() for value in row] for row in rows]
    header_at, server_at = find_header(texts, settings.server, settings.tab)
    header = [text.casefold() for text in texts[header_at]]
    places = {
        name: _place(name, getattr(settings, name), header, server_at, settings.tab) for name in _HEADERS
    }
    if places["person"] is None:
        raise NotFoundError(
            f"The tab {settings.tab!r} does not say who reserved a server.",
            "Name the header of that column in reservations.person in settings.toml.",
        )
    found = Understood([], [])
    for at in range(header_at + 1, len(rows)):
        server, person = (
            plain_text(str(_at(texts[at], place) or ""), _LONGEST_NAME)
            for place in (server_at, places["person"])
        )
        if not server or not person:
            continue
        try:
            start, end = _span(_at(rows[at], places["start"]), _at(rows[at], places["end"]), zone)
        except ValueError as error:
            found.problems.append(f"row {at + 1}: {error}")
        else:
            found.reservations.append(Reservation(server, person, start, end))
    return found


def _span(start: Value, end: Value, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    """Beginning and end, None where the cell is empty.

    Raises:
        ValueError: a cell is not understood, or the end is before the beginning; in words.
    """
    begins, ends = (None if _is_empty(cell) else moment_of(cell, zone) for cell in (start, end))
    if ends is not None and (ends.hour, ends.minute) == (0, 0):
        ends = ends.replace(hour=23, minute=59)  # a day belongs to the reservation that ends on it
    if begins and ends and ends <= begins:
        raise ValueError("it ends before it begins")
    return begins, ends


def _is_empty(cell: Value) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _place(name: str, wanted: str, header: Sequence[str], server_at: int, tab: str) -> int | None:
    """The column of what settings.toml calls reservations.`name`, None without such a column."""
    for candidate in (wanted.strip().casefold(),) if wanted else _HEADERS[name]:
        for place, title in enumerate(header):
            if title == candidate and (wanted or place != server_at):
                return place
    if wanted:
        raise NotFoundError(
            f"The tab {tab!r} has no column {wanted!r}.", f"Correct reservations.{name} in settings.toml."
        )
    return None


def _at(row: Sequence[Value], place: int | None) -> Value:
    return row[place] if place is not None and place < len(row) else None
