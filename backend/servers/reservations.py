"""Who has reserved which server now, as the lab's own tab says."""

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from backend.errors import SheetrackError
from backend.servers.reservations_tab import Reservation, reservations
from backend.servers.server import SERVER_NAME
from backend.servers.state import ServerStatus, State
from backend.servers.verdict import suggest
from backend.settings import ReservationSettings
from backend.sheets import Sheet

log = logging.getLogger(__name__)

_MOST_NOT_SET_UP = 20


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


class Reservations:
    """Follows the lab's tab, and keeps what Sheetrack shows beside it in place."""

    def __init__(self, sheet: Callable[[], Sheet], settings: ReservationSettings) -> None:
        """`sheet` opens the sheet that has the tab, once it is needed."""
        self._sheet = sheet
        self._settings = settings
        self._known: list[Reservation] = []
        self.error = ""
        """Why the tab could not be followed the last time, or what blocks a column beside it; empty: nothing."""

    def refresh(self) -> None:
        """Reads the tab anew; what was read before stays where that fails."""
        settings = self._settings
        try:
            sheet = self._sheet()
            self._known = reservations(sheet.read(settings.tab), settings, sheet.zone)
            sheet.annotate(settings.tab, settings.server, settings.show)
            self.error = " ".join(sheet.errors())
        except SheetrackError as error:
            self.error = str(error)
            log.warning("reservations are not up to date: %s", error)

    def shown_on(self, servers: Sequence[ServerStatus]) -> list[ServerStatus]:
        """The servers, each with its reservation."""
        moment = datetime.now().astimezone()
        return with_reservations(servers, reserved_now(self._known, moment), moment)

    def not_set_up(self, servers: Iterable[str]) -> list[NotSetUp]:
        """The servers in the tab that are none of `servers`."""
        return not_set_up(self._known, servers, datetime.now().astimezone())

    def against(self, server: str, asker: str) -> str | None:
        """Who else has reserved `server` now, in words; None: nobody but perhaps `asker`."""
        moment = datetime.now().astimezone()
        reservation = reserved_now(self._known, moment).get(server.casefold())
        if reservation is None or is_same_person(asker, reservation.person):
            return None
        return f"{server} is reserved by {_whose(reservation, moment)}"
