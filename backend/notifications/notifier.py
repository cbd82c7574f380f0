"""Notifies people of changes. A notification waits in the store until every address has it."""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from backend.database import Moment
from backend.errors import SheetrackError
from backend.jobs.job import Job
from backend.jobs.sweep import Sweep
from backend.notifications.changes import Followed, Notification, findings_of, follow, is_quiet, message
from backend.notifications.delivery import deliver, read_addresses, service_of, to_person
from backend.servers.state import ServerStatus
from backend.settings import NotifySettings
from backend.times import iso, now

log = logging.getLogger(__name__)

_PATIENCE = timedelta(days=2)  # a notification that is not delivered by then is given up
_PERSON = "held idle by "
_PERSON_PAUSE = timedelta(hours=23, minutes=55)  # so that it does not come later every day
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(minutes=30)

_TOLD = sa.table(
    "told",
    sa.column("subject", sa.Text),
    sa.column("value", sa.Text),
    sa.column("at", Moment),
)

_NOTIFICATIONS = sa.table(
    "notifications",
    sa.column("number", sa.Integer),
    sa.column("at", Moment),
    sa.column("text", sa.Text),
)

_ADDRESSES = sa.table(
    "notification_addresses",
    sa.column("digest", sa.Text),
    sa.column("taken", sa.Integer),
)


@dataclass(frozen=True)
class Pause:
    """For how long an address that failed is not tried."""

    until: datetime
    length: timedelta


class Notifier:
    """Safe to use from several threads; only the serving backend has one."""

    def __init__(self, database: sa.Engine, settings: NotifySettings, home: Path) -> None:
        self._database = database
        self._reading = database.execution_options(reading=True)
        self._settings = settings
        self._home = home
        self._followed: Followed | None = None
        self._following, self._sending = threading.Lock(), threading.Lock()
        self._failing: dict[str, Pause] = {}
        self._taken: dict[str, int] = {}
        """The last notification that each address took from this process, which it may be unable to store."""
        self._warning = ""
        self._warned: dict[str, str] = {}
        """The warning that each address took last."""
        self.error = ""
        """Why an address could not be reached the last time; empty when all could."""

    def follow(
        self,
        servers: Iterable[ServerStatus],
        jobs: Iterable[Job],
        at: datetime | None = None,
        *,
        ray_fault: str = "",
        sweeps: Iterable[Sweep] = (),
    ) -> None:
        """Stores a notification for each change that the present states of servers, jobs and sweeps complete."""
        at = at or now()
        with self._following:
            before = self._followed or Followed(self._reported())
            findings = findings_of(servers, jobs, at, self._settings, ray_fault=ray_fault, sweeps=sweeps)
            after, texts = follow(before, findings, at)
            if after.reported != before.reported:
                self._store(before, after, texts, at)
            self._followed = after

    def report(self, subject: str, value: str, text: str, at: datetime) -> None:
        """Stores a notification once for each `value` of the subject."""
        row = {"subject": subject, "value": value, "at": at}
        with self._following, self._database.begin() as connection:
            known = connection.scalar(sa.select(_TOLD.c.value).where(_TOLD.c.subject == subject))
            if known == value:
                return
            connection.execute(insert(_TOLD).values(row).on_conflict_do_update(["subject"], set_=row))
            connection.execute(sa.insert(_NOTIFICATIONS), [{"at": at, "text": text}])

    def tell_people(
        self, texts: Mapping[str, str], address_of: Callable[[str], str | None], at: datetime
    ) -> None:
        """Sends each login its text, once a day, where the lab gives an address; not in quiet hours.

        A message that is not delivered is tried again at the next call.

        Args:
            texts: by login.
            address_of: the mail address of a login.
            at: now, in the lab's time zone.
        """
        if is_quiet(at, self._settings.quiet_hours):
            return
        told = {_PERSON + login: login for login in texts}
        with self._reading.connect() as connection:
            query = sa.select(_TOLD.c.subject).where(
                _TOLD.c.subject.in_(told), _TOLD.c.at > at - _PERSON_PAUSE
            )
            new = [told[subject] for subject in told.keys() - set(connection.scalars(query))]
        whose = {login: address for login in sorted(new) if (address := address_of(login))}
        if not whose:
            return
        try:
            ways = read_addresses(self._settings, self._home).people
        except SheetrackError:  # `send` tells it
            return
        for login, mail_address in whose.items():
            if any(deliver(to_person(way, mail_address), "Sheetrack", texts[login]) for way in ways):
                row = {"subject": _PERSON + login, "value": iso(at), "at": at}
                with self._database.begin() as connection:
                    connection.execute(insert(_TOLD).values(row).on_conflict_do_update(["subject"], set_=row))
            elif ways:
                log.warning("a message to %s was not delivered", login)

    def warn(self, text: str) -> None:
        """Sends a warning without storing it, because nothing can be stored; the next one takes its place."""
        if "disk_fault" in self._settings.events:
            self._warning = text

    def _reported(self) -> dict[str, str]:
        with self._reading.connect() as connection:
            return {row.subject: row.value for row in connection.execute(sa.select(_TOLD))}

    def _store(self, before: Followed, after: Followed, texts: Sequence[str], at: datetime) -> None:
        gone = before.reported.keys() - after.reported.keys()
        new = [
            {"subject": subject, "value": value, "at": at}
            for subject, value in after.reported.items()
            if before.reported.get(subject) != value
        ]
        with self._database.begin() as connection:
            connection.execute(sa.delete(_TOLD).where(_TOLD.c.subject.in_(gone)))
            if new:
                row = insert(_TOLD)
                newest = {"value": row.excluded.value, "at": row.excluded.at}
                connection.execute(row.on_conflict_do_update(["subject"], set_=newest), new)
            if texts:
                connection.execute(sa.insert(_NOTIFICATIONS), [{"at": at, "text": text} for text in texts])

    def waiting(self) -> list[Notification]:
        """The notifications that some address does not have yet, the oldest first."""
        with self._reading.connect() as connection:
            rows = connection.execute(sa.select(_NOTIFICATIONS).order_by(_NOTIFICATIONS.c.number))
            return [Notification(row.number, row.at, row.text) for row in rows]

    def send(self, at: datetime) -> None:
        """Sends every address its waiting notifications in one message, unless these are quiet hours.

        An address that fails is tried again after pauses that double. A notification that is not delivered
        within two days is given up.

        Args:
            at: now, in the lab's time zone.
        """
        if is_quiet(at, self._settings.quiet_hours):
            return
        with self._sending:
            waiting = self.waiting()
            if not waiting and not self._warning:
                return
            try:
                addresses, _, errors = read_addresses(self._settings, self._home)
                self._failing = {
                    address: pause
                    for address in addresses
                    if (pause := self._deliver(address, waiting, at)) is not None
                }
                errors += [f"{service_of(address)} takes no messages." for address in self._failing]
            except SheetrackError as error:
                addresses, errors = [], [str(error)]
            self._note(" ".join(errors))
            if not errors:  # all have it
                self._warning = ""
            if waiting:
                self._forget(addresses, waiting, at)

    def _deliver(self, address: str, waiting: Sequence[Notification], at: datetime) -> Pause | None:
        """Sends an address what it does not have yet; returns its pause if it failed."""
        pause = self._failing.get(address)
        if pause and at < pause.until:
            return pause
        new = [notification for notification in waiting if notification.number > self._taken_by(address)]
        warning = self._warning
        if warning == self._warned.get(address, ""):
            warning = ""
        told = [Notification(0, at, warning)] * bool(warning) + new
        if told and not deliver(address, *message(told, at)):
            length = min(2 * pause.length, _LONGEST_PAUSE) if pause else _FIRST_PAUSE
            return Pause(at + length, length)
        if warning:
            self._warned[address] = warning
        if new:
            self._taken[address] = new[-1].number
            row = {"digest": _digest(address), "taken": new[-1].number}
            with self._database.begin() as connection:
                connection.execute(insert(_ADDRESSES).values(row).on_conflict_do_update(["digest"], set_=row))
        return None

    def _taken_by(self, address: str) -> int:
        query = sa.select(_ADDRESSES.c.taken).where(_ADDRESSES.c.digest == _digest(address))
        with self._reading.connect() as connection:
            return max(connection.scalar(query) or 0, self._taken.get(address, 0))

    def _forget(self, addresses: Sequence[str], waiting: Sequence[Notification], at: datetime) -> None:
        taken = min((self._taken_by(address) for address in addresses), default=0)
        given_up = [
            notification
            for notification in waiting
            if notification.number > taken and at - notification.at > _PATIENCE
        ]
        if given_up:
            log.warning("notifications given up after two days: %d", len(given_up))
        done = [
            notification.number
            for notification in waiting
            if notification.number <= taken or notification in given_up
        ]
        with self._database.begin() as connection:
            connection.execute(sa.delete(_NOTIFICATIONS).where(_NOTIFICATIONS.c.number.in_(done)))

    def _note(self, error: str) -> None:
        if error and error != self.error:
            log.warning("notifications are not delivered: %s", error)
        self.error = error


def _digest(address: str) -> str:
    """An address as the store may hold it, without its secret."""
    return hashlib.sha256(address.encode()).hexdigest()
