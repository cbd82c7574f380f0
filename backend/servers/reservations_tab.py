"""Reservations as the lab's own tab has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from backend.errors import NotFoundError
from backend.settings import ReservationSettings
from backend.sheets.people import find_header

Value = str | int | float | bool | None


_NAMES = {
    "person": ("user", "person", "who", "reserved by", "reserved for", "booked by", "owner", "used by"),
    "start": ("from", "start", "since", "begin", "start date", "date"),
    "end": ("until", "end", "to", "till", "end date", "due"),
}


_FIRST_DAY = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's days have no zone


_DATES = ("%d.%m.%Y", "%d.%m.%y", "%Y/%m/%d", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")


@dataclass(frozen=True)
class Reservation:
    """Open on the side where nothing, or nothing that is a date, is given."""

    server: str
    person: str
    start: datetime | None = None
    end: datetime | None = None

    def covers(self, moment: datetime) -> bool:
        return (self.start is None or self.start <= moment) and (self.end is None or moment < self.end)


def reservations(
    rows: Sequence[Sequence[Value]], settings: ReservationSettings, zone: tzinfo
) -> list[Reservation]:
    """Every row that names a server and a person; dates hold in `zone`.

    Raises:
        NotFoundError: a column that the settings name, or the servers' or people's, is not there.
    """
    texts = [["" if value is None else str(value).strip() for value in row] for row in rows]
    header_at, server_at = find_header(texts, settings.server, settings.tab)
    header = [text.casefold() for text in texts[header_at]]
    places = {name: _place(name, getattr(settings, name), header, settings.tab) for name in _NAMES}
    person_at, start_at, end_at = places["person"], places["start"], places["end"]
    if person_at is None:
        raise NotFoundError(
            f"The tab {settings.tab!r} does not say who reserved a server.",
            "Name the header of that column in reservations.person in settings.toml.",
        )
    found = []
    for row, text in zip(rows[header_at + 1 :], texts[header_at + 1 :], strict=True):
        server, person = str(_at(text, server_at) or ""), str(_at(text, person_at) or "")
        if server and person:
            start = _moment(_at(row, start_at), zone)
            end = _moment(_at(row, end_at), zone)
            if end is not None and (end.hour, end.minute) == (0, 0):
                end += timedelta(days=1, minutes=-1)  # a day belongs to the reservation that ends on it
            found.append(Reservation(server, person, start, end))
    return found


def _place(name: str, wanted: str, header: Sequence[str], tab: str) -> int | None:
    names = (wanted.strip().casefold(),) if wanted else _NAMES[name]
    for candidate in names:
        if candidate in header:
            return header.index(candidate)
    if wanted:
        raise NotFoundError(
            f"The tab {tab!r} has no column {wanted!r}.", f"Correct reservations.{name} in settings.toml."
        )
    return None


def _at(row: Sequence[Value], place: int | None) -> Value:
    return row[place] if place is not None and place < len(row) else None


def _moment(value: Value, zone: tzinfo) -> datetime | None:
    """A date as spreadsheets keep it (days since 1899-12-30) or as people type it; None: no date."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return (_FIRST_DAY + timedelta(days=value)).replace(tzinfo=zone)
    for form in (None, *_DATES):
        try:
            moment = datetime.fromisoformat(value) if form is None else datetime.strptime(value.strip(), form)  # noqa: DTZ007 - the zone follows
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return None
