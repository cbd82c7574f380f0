"""Whether the servers, Google, the lab's own tab, the public address and Ray answer: each a sentence or an error."""

import difflib
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime

import httpx
from sqlalchemy import Engine

from backend.database import open_database
from backend.errors import SheetrackError
from backend.jobs.engines.http_client import open_client
from backend.jobs.engines.ray import absent, ray_jobs
from backend.probe.sampler import Sampler
from backend.servers.poller import Poller
from backend.servers.reservation import summary
from backend.servers.reservations import NotSetUp, advice, not_set_up
from backend.servers.reservations_tab import reservations
from backend.servers.server import read_servers
from backend.service.google import open_google
from backend.service.lock import is_served
from backend.settings import Home
from backend.sheets import Sheet
from backend.sheets.workbook import Workbook
from backend.tabs.names import SERVERS
from backend.tabs.outbox import Outbox
from backend.tabs.servers import servers_table
from backend.text import listed

_NO_CONTACTS = (
    "No person's mail address is known, so those who hold idle GPUs get no message: "
    "give the tab a column 'Email', or name it in reservations.email in settings.toml."
)
_NOT_SET_UP = "not set up in settings.toml"


@contextmanager
def store(home: Home) -> Iterator[Engine]:
    """The database of the home; a check leaves its schema as it is while a backend works with it."""
    database = open_database(home.store_file, is_served=lambda: is_served(home))
    try:
        yield database
    finally:
        database.dispose()


def answering(home: Home) -> str:
    """Reads each server that is another machine.

    Raises:
        SheetrackError: servers.toml cannot be understood, or some of its servers cannot be read.
    """
    known = read_servers(home)
    poller = Poller([one for one in known.values() if not one.is_here], lambda name: Sampler(name, home.path))
    try:
        failed = [snapshot for snapshot in poller.poll(lambda _: None) if snapshot.failure]
    finally:
        poller.close()
    if failed:
        told = [f"{one.server}: {(one.failure_text or one.failure or '').rstrip('.')}." for one in failed]
        raise SheetrackError(
            f"Of {listed(list(known), 20)}, {len(failed)} cannot be read. {' '.join(told)}",
            "Check agent and token_file in servers.toml, and `sheetrack agent` there.",
        )
    return ", ".join(known)


def google_sheet(home: Home) -> str:
    """Reads the spreadsheet, and writes something that people do not see."""
    settings = home.settings().google
    if settings is None:
        return _NOT_SET_UP
    sheet = open_google(home, settings)
    try:
        title = sheet.try_out()
        said = [f"{title!r} can be read and written by {sheet.account}", *sheet.remarks()]
    finally:
        sheet.close()
    with store(home) as database:
        waiting = len(Outbox(database).waiting())
    if waiting:
        said.append(f"{waiting} tab{'s wait' if waiting > 1 else ' waits'} to be published")
    return ". ".join(sentence.rstrip(".") for sentence in said)


def reserved(home: Home) -> str:
    """Reads the lab's own tab, and looks at the columns beside it.

    Raises:
        SheetrackError: the tab or some of its rows cannot be understood, or people typed into a column of ours.
    """
    everything = home.settings()
    settings = everything.reservations
    if settings is None:
        return _NOT_SET_UP
    servers, moment = read_servers(home), datetime.now().astimezone()
    with ExitStack() as opened:
        sheet: Sheet
        if everything.google:
            sheet = opened.enter_context(closing(open_google(home, everything.google)))
        else:
            sheet = Workbook(opened.enter_context(store(home)), home.peoples_tabs, SERVERS)
        found = reservations(sheet.read(settings.tab), settings, servers, moment)
        errors = sheet.errors()
    told = f"{summary(found, most=50)} (in {settings.tab!r})"
    new = not_set_up(found.reservations, servers, moment)
    if found.problems or found.doubts:
        unknown = [f"{one.name} is not set up yet." for one in new]
        raise SheetrackError(" ".join([f"{told}.", *unknown, *errors]), advice(found))
    if errors:
        raise SheetrackError(" ".join(errors), "Sheetrack's columns fill again once that is undone.")
    titles = [column.title for column in servers_table([], reservations=True).sections[0].columns]
    if unknown := [title for title in settings.show if title not in titles]:
        sentence = f"{told}. The {SERVERS} tab has no column {unknown[0]!r} to show beside them."
        raise SheetrackError(
            sentence, f"Correct reservations.show in settings.toml; it has {listed(titles, 20)}."
        )
    return "\n".join(
        [
            told,
            *found.remarks,
            *(
                [_NO_CONTACTS]
                if everything.notify and everything.notify.held_idle_hours and not found.contacts
                else []
            ),
            *(_unknown(one, servers) for one in new),
        ]
    )


def _unknown(server: NotSetUp, known: Collection[str]) -> str:
    near = difflib.get_close_matches(server.name, known, n=1)
    correct = f"correct it if it is {near[0]}, or " if near else ""
    return f"{server.name} is not set up yet; {correct}add to servers.toml:\n{server.lines}"


def public_address(home: Home) -> str:
    """Asks the backend for an answer by the way that the add-on takes.

    Raises:
        SheetrackError: something else answers, or nothing.
    """
    people = home.settings().people
    if people is None:
        return _NOT_SET_UP
    advice = "Start `sheetrack up`, and the tunnel or proxy in front of it; deploy/ has examples."
    try:
        answer = httpx.get(f"{people.public_address}/healthz", timeout=10)
        code = answer.json()["error"]["code"]
    except httpx.HTTPError as error:
        raise SheetrackError(f"{people.public_address} does not answer: {error}.", advice) from None
    except (ValueError, KeyError, TypeError):
        code = None
    # Without an identity Sheetrack refuses: at its public address with this code, elsewhere with others.
    if code not in ("unknown_person", "refused", "token_needed"):
        raise SheetrackError(f"What answers at {people.public_address} is not Sheetrack.", advice)
    if code != "unknown_person":
        raise SheetrackError(
            f"The backend behind {people.public_address} does not know that it is called so.",
            "Have the proxy pass the Host header on, and restart `sheetrack up`.",
        )
    listed = len(people.see) + len(people.launch)
    return f"{people.public_address} answers; {len(people.audiences)} add-ons and {listed} people are listed"


def ray(home: Home) -> str:
    """Asks Ray which servers are part of its cluster.

    Raises:
        SheetrackError: it does not answer, or a server that trains through it is not there.
    """
    settings = home.settings().ray
    if settings is None:
        return _NOT_SET_UP
    with open_client() as client:
        jobs = ray_jobs(settings, home.path, client)
        version, there = jobs.version(), jobs.servers()
    wanted = [server.name for server in read_servers(home).values() if server.ray]
    if missing := [name for name in wanted if name not in there]:
        raise absent(missing[0])
    said = f"Ray {version} at {settings.address}"
    return f"{said}; trains on {', '.join(wanted)}" if wanted else f"{said}; no server says `ray = true`"
