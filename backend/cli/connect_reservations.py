"""Which tab of the lab holds its reservations, and how Sheetrack reads it, shown before it is used."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from backend.cli.ask import ask, choose, confirm, done, failed, is_person
from backend.cli.show import say
from backend.errors import InvalidError, SheetrackError
from backend.servers.reservation import Reservation, last_moment, summary
from backend.servers.reservations import advice
from backend.servers.reservations_tab import reservations
from backend.settings import ReservationSettings

if TYPE_CHECKING:
    from backend.sheets.google.sheet import GoogleSheet

_SHOWN_ROWS = 5
_MOST_TABS = 50
_LIKELY = ("reserv", "book", "server", "gpu", "machine", "who", "schedule", "calendar", "plan")
_COLUMNS = {
    "server": "the servers' names",
    "person": "who reserved it",
    "start": "when that begins",
    "end": "when that ends",
}


def choose_reservations(
    sheet: "GoogleSheet", known: ReservationSettings | None, tab: str | None, servers: Collection[str]
) -> ReservationSettings | None:
    """The tab that `tab` or the person names, once it can be read; None: the lab keeps no reservations there.

    Raises:
        SheetrackError: it cannot be read, and there is no terminal to choose another.
    """
    if tab == "":
        return None
    if tab is None and not is_person():
        return known
    titles = sheet.peoples_tabs()
    while True:
        name = tab or _asked_tab(titles, known)
        if not name:
            return None
        kept = known if known and known.tab == name else ReservationSettings(tab=name)
        if chosen := _read(sheet, kept, servers):
            return chosen
        tab = None


def _asked_tab(titles: list[str], known: ReservationSettings | None) -> str:
    """Empty: none of them."""
    say("Which tab says who has reserved which server? 0 for none.")
    likely = [at for at, title in enumerate(titles, 1) if any(word in title.casefold() for word in _LIKELY)]
    default = likely[0] if likely else 0
    if known and known.tab in titles:
        default = titles.index(known.tab) + 1
    number = choose("Number", "--reservations TAB", titles[:_MOST_TABS], default)
    return titles[number - 1] if number else ""


def _read(
    sheet: "GoogleSheet", kept: ReservationSettings, servers: Collection[str]
) -> ReservationSettings | None:
    """Shows how the tab is read, and lets the person name the columns until it is right; None: another tab."""
    content = sheet.read(kept.tab)
    while True:
        try:
            found = reservations(content, kept, servers, datetime.now().astimezone())
        except SheetrackError as error:
            if not is_person():
                raise
            failed(error)
        else:
            count = len(found.reservations)
            done(f"{kept.tab!r}: {count} reservation{'' if count == 1 else 's'}{':' if count else ''}")
            for reservation in found.reservations[:_SHOWN_ROWS]:
                say(f"    {_line(reservation)}")
            for remark in found.remarks:
                say(f"    {remark}")
            if found.problems or found.doubts:
                say(f"    {summary(found)}. {advice(found)}")
            if confirm("Is that right?", default=True):
                return kept
        if not confirm("Name the columns yourself?", default=True):
            return None
        headers = {
            str(value).strip() for row in content.rows[:_MOST_TABS] for value in row if value is not None
        }
        kept = ReservationSettings.model_validate(
            kept.model_dump() | {name: _asked_column(what, headers) for name, what in _COLUMNS.items()}
        )


def _asked_column(what: str, headers: set[str]) -> str:
    """Empty: to be guessed."""
    known = {header.casefold(): header for header in headers}

    def understand(answer: str) -> str:
        if answer and answer.casefold() not in known:
            raise InvalidError(
                f"No column is called {answer[:100]!r}.", "Type its header as it stands there."
            )
        return known[answer.casefold()] if answer else ""

    return ask(f"Header of {what}, Enter to have it guessed", "--reservations TAB", understand)


def _line(reservation: Reservation) -> str:
    start = f"from {reservation.start:%Y-%m-%d %H:%M}" if reservation.start else "from no date on"
    end = f"until {last_moment(reservation.end)}" if reservation.end else "without an end"
    gpus = "" if reservation.gpus is None else f"  GPU {', '.join(map(str, reservation.gpus))}"
    return f"{reservation.server:15}  {reservation.person:20}  {start}  {end}{gpus}"
