"""Reservations that hold now, from the lab's own tab."""

import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from backend.errors import SheetrackError
from backend.servers.logins import Contact, address_of, is_login_of, is_same_person
from backend.servers.reservation import Reservation, Understood, last_moment, summary
from backend.servers.reservations_tab import reservations
from backend.servers.server import SERVER_NAME
from backend.servers.state import ServerStatus, State
from backend.servers.verdict import suggest
from backend.settings import ReservationSettings
from backend.sheets import Sheet
from backend.text import listed

log = logging.getLogger(__name__)

_MOST_NOT_SET_UP = 20


def reserved_now(known: Sequence[Reservation], moment: datetime) -> dict[str, list[Reservation]]:
    """The reservations of each server at `moment` in the order of their rows, by its name in lower case."""
    current: dict[str, list[Reservation]] = {}
    for reservation in known:
        if reservation.covers(moment):
            current.setdefault(reservation.server.casefold(), []).append(reservation)
    return current


def with_reservations(
    servers: Sequence[ServerStatus], current: Mapping[str, Sequence[Reservation]], moment: datetime
) -> list[ServerStatus]:
    """Each server with its reservations at `moment`, the best to take first.

    The reason of a verdict says where a reserved server is idle or used by others.
    """
    shown = []
    for server in servers:
        if reserved := current.get(server.name.casefold()):
            whose = _whose(reserved, moment)
            use = _other_use(reserved, server)
            reason = f"{server.verdict.reason}; reserved by {whose}, {use}" if use else server.verdict.reason
            verdict = server.verdict.model_copy(update={"reason": reason})
            changes = {"reserved": whose, "reserved_gpus": _reserved_gpus(reserved), "verdict": verdict}
            server = server.model_copy(update=changes)  # noqa: PLW2901
        shown.append(server)
    return suggest(shown)


def _reserved_gpus(reserved: Sequence[Reservation]) -> tuple[int, ...] | None:
    """The GPUs that are reserved; None: the whole server."""
    if any(one.gpus is None for one in reserved):
        return None
    return tuple(sorted({index for one in reserved for index in one.gpus or ()}))


def _whose(reserved: Sequence[Reservation], moment: datetime) -> str:
    """Who has reserved it, until when and which GPUs, each reservation once."""
    return listed(list(dict.fromkeys(_one(reservation, moment) for reservation in reserved)))


def _one(reservation: Reservation, moment: datetime) -> str:
    """`Kim until 18:00 (GPU 0, 1)`; with the date unless it ends on the day of `moment`."""
    whose, end = reservation.person, reservation.end
    if end is not None:
        whose += f" until {_until(end, moment)}"
    gpus = reservation.gpus
    return whose if gpus is None else f"{whose} (GPU {', '.join(map(str, gpus))})"


def _until(end: datetime, moment: datetime) -> str:
    """The time of an end today, else its date and time; of an end at midnight, the day before it."""
    day, _, clock = last_moment(end).partition(" ")
    is_today = day == f"{moment.astimezone(end.tzinfo).date()}"
    return (clock or "24:00") if is_today else f"{day} {clock}".rstrip()


def _other_use(reserved: Sequence[Reservation], server: ServerStatus) -> str:
    """How the use of a server differs from its reservations, empty if it does not."""
    users = server.snapshot.users if server.snapshot else []
    if server.verdict.state is State.IDLE:
        return "but idle"
    if users and not any(is_login_of(user, one.person) for user in users for one in reserved):
        return f"used by {listed(users)}"
    return ""


class OthersHold(NamedTuple):
    """What other people have reserved of a server now, in words."""

    server: str = ""
    """`gpu1 is reserved by Kim until 18:00`; empty: the server as a whole is not reserved."""
    gpus: Mapping[int, str] = {}
    """Who has which GPU, such as `park until 18:00`."""


def others_hold(known: Sequence[Reservation], server: str, asker: str, moment: datetime) -> OthersHold:
    """What other people than `asker` have reserved of `server` at `moment`."""
    reserved = reserved_now(known, moment).get(server.casefold(), [])
    others = [one for one in reserved if not is_same_person(asker, one.person)]
    whole = [one for one in others if one.gpus is None]
    gpus: dict[int, str] = {}
    for one in others:
        whose = _one(replace(one, gpus=None), moment)
        for index in one.gpus or ():
            gpus[index] = f"{gpus[index]} and {whose}" if index in gpus else whose
    return OthersHold(f"{server} is reserved by {_whose(whole, moment)}" if whole else "", gpus)


class NotSetUp(BaseModel):
    """A server that the lab's tab names and servers.toml does not."""

    model_config = ConfigDict(frozen=True)

    name: str
    lines: str
    """What to add to servers.toml."""


def not_set_up(known: Sequence[Reservation], servers: Iterable[str], moment: datetime) -> list[NotSetUp]:
    """The names in the lab's tab that are no server's, as far as their reservations are not over at `moment`.

    What cannot be a server's name, such as a remark, is left out.
    """
    ours = {name.casefold() for name in servers}
    found: dict[str, NotSetUp] = {}
    for reservation in known:
        name = reservation.server
        is_over = reservation.end is not None and reservation.end <= moment
        if name.casefold() in ours or is_over or not re.fullmatch(SERVER_NAME, name):
            continue
        lines = f'[[server]]\nname = "{name}"\nagent = "ssh://{name}"'
        found.setdefault(name.casefold(), NotSetUp(name=name, lines=lines))
    return list(found.values())[:_MOST_NOT_SET_UP]


def advice(found: Understood) -> str:
    """What to do about rows that are not understood or are doubtful."""
    if not found.problems:
        return "Write dates like 2026-11-22 and GPUs like 0-3." if found.doubts else ""
    return "A row that is not understood reserves nothing. Write dates like 2026-11-22 or 2026-11-22 18:00."


def annotated(sheet: Sheet, settings: ReservationSettings, servers: Collection[str]) -> bool:
    """Puts the columns beside the lab's tab; returns False where it has no column of servers to put them beside.

    Raises:
        NotFoundError: there is no such tab or column.
        UnavailableError: the sheet could not be read or written.
    """
    found = reservations(sheet.read(settings.tab), settings, servers, _now())
    if found.key_column is None:
        return False
    sheet.annotate(settings.tab, found.key_column, settings.show, found.spellings)
    return True


class Reservations:
    """The newest reservations of the lab's tab, and the columns that Sheetrack shows beside it."""

    def __init__(
        self, sheet: Callable[[], Sheet], settings: ReservationSettings, servers: Collection[str]
    ) -> None:
        """`sheet` opens the sheet that has the tab. It is called when the tab is read. `servers` are the lab's."""
        self._sheet = sheet
        self._settings = settings
        self._servers = servers
        self._known: list[Reservation] = []
        self._contacts: list[Contact] = []
        self.times_read = 0
        """How often the tab was read."""
        self.error = ""
        """What was wrong the last time: the tab, its rows or the columns beside it. Empty if nothing was."""

    def refresh(self) -> None:
        """Reads the tab and puts the columns beside it. Where reading fails, the last reservations hold."""
        self._follow(annotate=True)

    def look(self) -> None:
        """Reads the tab and writes nothing."""
        self._follow(annotate=False)

    def _follow(self, *, annotate: bool) -> None:
        settings, errors = self._settings, []
        try:
            sheet = self._sheet()
            found = reservations(sheet.read(settings.tab), settings, self._servers, _now())
            self._known, self._contacts = found.reservations, found.contacts
            if found.problems or found.doubts:
                errors = [f"Reservations: {summary(found)}.", advice(found)]
            if annotate and found.key_column is not None:
                sheet.annotate(settings.tab, found.key_column, settings.show, found.spellings)
                errors += sheet.errors()
        except SheetrackError as error:
            errors.append(str(error))
            log.warning("reservations are not up to date: %s", error)
        self.error = " ".join(errors)
        self.times_read += 1

    def shown_on(self, servers: Sequence[ServerStatus]) -> list[ServerStatus]:
        """The servers, each with its reservation, the best to take first."""
        moment = _now()
        return with_reservations(servers, reserved_now(self._known, moment), moment)

    def not_set_up(self, servers: Iterable[str]) -> list[NotSetUp]:
        """The servers in the tab that are none of `servers`."""
        return not_set_up(self._known, servers, _now())

    def of(self, server: str) -> list[Reservation]:
        """The reservations of a server, past and future, as the tab has them."""
        return [one for one in self._known if one.server.casefold() == server.casefold()]

    def address_of(self, login: str) -> str | None:
        """The mail address that the tab gives for a login; None: it gives none, or several."""
        return address_of(login, self._contacts)

    def others_hold(self, server: str, asker: str) -> OthersHold:
        """What other people than `asker` have reserved of `server` now."""
        return others_hold(self._known, server, asker, _now())


def _now() -> datetime:
    return datetime.now().astimezone()
