"""Who has reserved which server now, as the lab's own tab says."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from backend.errors import NotFoundError, SheetrackError
from backend.probe.verdict import suggest
from backend.settings import ReservationSettings
from backend.sheets import Sheet
from backend.sheets.people import find_header
from backend.snapshot import ServerStatus, State

log = logging.getLogger(__name__)

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


def reserved_now(known: Sequence[Reservation], moment: datetime) -> dict[str, Reservation]:
    """Who has each server at `moment`, by the server's name in lower case; the first row that says so wins."""
    current: dict[str, Reservation] = {}
    for reservation in known:
        if reservation.covers(moment):
            current.setdefault(reservation.server.casefold(), reservation)
    return current


def with_reservations(
    servers: Sequence[ServerStatus], current: Mapping[str, Reservation], moment: datetime
) -> list[ServerStatus]:
    """Each server with who has reserved it at `moment`; where somebody else uses it, or nobody, the reason says so.

    One that is reserved is nobody's to take, so the order is made anew.
    """
    shown = []
    for server in servers:
        if reservation := current.get(server.name.casefold()):
            whose = _whose(reservation, moment)
            use = _other_use(reservation, server)
            reason = f"{server.verdict.reason}; reserved by {whose}, {use}" if use else server.verdict.reason
            verdict = server.verdict.model_copy(update={"reason": reason})
            server = server.model_copy(update={"reserved": whose, "verdict": verdict})  # noqa: PLW2901
        shown.append(server)
    return suggest(shown)


def _whose(reservation: Reservation, moment: datetime) -> str:
    """Who has it and until when; of an end on the day of `moment` the time alone."""
    end = reservation.end
    if end is None:
        return reservation.person
    if end.date() == moment.astimezone(end.tzinfo).date():
        return f"{reservation.person} until {end:%H:%M}"
    return f"{reservation.person} until {end:%Y-%m-%d %H:%M}".removesuffix(" 23:59")


def _other_use(reservation: Reservation, server: ServerStatus) -> str:
    """How a server is used otherwise than it is reserved, if it is."""
    users = server.snapshot.users if server.snapshot else []
    if server.verdict.state is State.IDLE:
        return "but idle"
    if users and not any(is_login_of(user, reservation.person) for user in users):
        return f"used by {', '.join(users)}"
    return ""


def is_login_of(login: str, person: str) -> bool:
    """Whether a user name looks like that person's: `lee`, `kimlee` and `klee` are Kim Lee's."""
    words = _words(person)
    return bool(words) and login.casefold() in {*words, "".join(words), words[0][0] + words[-1]}


def is_same_person(asker: str, person: str) -> bool:
    """Whether two ways of naming people, by login, address or name, look like the same person's."""
    return is_login_of("".join(_words(asker)), person) or is_login_of("".join(_words(person)), asker)


def _words(person: str) -> list[str]:
    return re.findall(r"\w+", person.casefold().split("@", maxsplit=1)[0])


class Reservations:
    """Follows the lab's tab, and keeps what Sheetrack shows beside it in place."""

    def __init__(self, sheet: Callable[[], Sheet], settings: ReservationSettings) -> None:
        """`sheet` opens the sheet that has the tab, once it is needed."""
        self._sheet = sheet
        self._settings = settings
        self._known: list[Reservation] = []
        self.trouble = ""
        """Why the tab could not be followed the last time, or what blocks a column beside it; empty: nothing."""

    def refresh(self) -> None:
        """Reads the tab anew; what was read before stays where that fails."""
        settings = self._settings
        try:
            sheet = self._sheet()
            self._known = reservations(sheet.read(settings.tab), settings, sheet.zone)
            sheet.annotate(settings.tab, settings.server, settings.show)
            self.trouble = " ".join(sheet.troubles())
        except SheetrackError as error:
            self.trouble = str(error)
            log.warning("reservations are not up to date: %s", error)

    def shown_on(self, servers: Sequence[ServerStatus]) -> list[ServerStatus]:
        """The servers, each with its reservation."""
        moment = datetime.now().astimezone()
        return with_reservations(servers, reserved_now(self._known, moment), moment)

    def against(self, server: str, asker: str) -> str | None:
        """Who else has reserved `server` now, in words; None: nobody but perhaps `asker`."""
        moment = datetime.now().astimezone()
        reservation = reserved_now(self._known, moment).get(server.casefold())
        if reservation is None or is_same_person(asker, reservation.person):
            return None
        return f"{server} is reserved by {_whose(reservation, moment)}"


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
