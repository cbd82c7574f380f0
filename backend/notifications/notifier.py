"""Tells people what changed. It waits in the store until every address has it."""

import hashlib
import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Row
from backend.errors import SheetrackError
from backend.jobs.job import Job
from backend.notifications.changes import Followed, Notification, findings_of, follow, is_quiet, message
from backend.notifications.delivery import deliver, read_addresses, service_of
from backend.servers.state import ServerStatus
from backend.settings import NotifySettings
from backend.times import now

log = logging.getLogger(__name__)

_PATIENCE = timedelta(days=2)  # what nobody takes for so long is given up
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(minutes=30)


class _Told(Row):
    __tablename__ = "told"
    subject: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
    at: Mapped[datetime]


class _Notification(Row):
    __tablename__ = "notifications"
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    text: Mapped[str]


class _Address(Row):
    __tablename__ = "notification_addresses"
    digest: Mapped[str] = mapped_column(primary_key=True)
    taken: Mapped[int]


@dataclass(frozen=True)
class Pause:
    """How long an address that failed is left alone."""

    until: datetime
    length: timedelta


class Notifier:
    """Safe to use from several threads; only the serving backend has one."""

    def __init__(self, database: sa.Engine, settings: NotifySettings, home: Path) -> None:
        self._database = database
        self._reading = database.execution_options(reading=True)
        self._settings = settings
        self._home = home
        self._watched: Followed | None = None
        self._following, self._sending = threading.Lock(), threading.Lock()
        self._failing: dict[str, Pause] = {}
        self.error = ""
        """Why an address could not be reached the last time; empty when all could."""

    def follow(
        self, servers: Iterable[ServerStatus], jobs: Iterable[Job], at: datetime | None = None
    ) -> None:
        """Notes what is to be told of the present state of everything."""
        at = at or now()
        with self._following:
            before = self._watched or Followed(self._told())
            after, texts = follow(before, findings_of(servers, jobs, at, self._settings), at)
            if after.told != before.told:
                self._store(before, after, texts, at)
            self._watched = after

    def _told(self) -> dict[str, str]:
        with self._reading.connect() as connection:
            return {row.subject: row.value for row in connection.execute(sa.select(_Told.__table__))}

    def _store(self, before: Followed, after: Followed, texts: Sequence[str], at: datetime) -> None:
        gone = before.told.keys() - after.told.keys()
        new = [
            {"subject": subject, "value": value, "at": at}
            for subject, value in after.told.items()
            if before.told.get(subject) != value
        ]
        with self._database.begin() as connection:
            connection.execute(sa.delete(_Told).where(_Told.subject.in_(gone)))
            if new:
                told = insert(_Told)
                told = told.on_conflict_do_update(
                    ["subject"], set_={"value": told.excluded.value, "at": told.excluded.at}
                )
                connection.execute(told, new)
            if texts:
                connection.execute(sa.insert(_Notification), [{"at": at, "text": text} for text in texts])

    def waiting(self) -> list[Notification]:
        """What some address does not have yet, the oldest first."""
        with self._reading.connect() as connection:
            rows = connection.execute(sa.select(_Notification.__table__).order_by(_Notification.number))
            return [Notification(row.number, row.at, row.text) for row in rows]

    def send(self, at: datetime) -> None:
        """Tells every address what it does not know yet in one message, unless it is quiet now.

        An address that fails is asked again after pauses that double; what it has not taken after two days
        is given up.

        Args:
            at: now, in the lab's time zone.
        """
        if is_quiet(at, self._settings.quiet_hours):
            return
        with self._sending:
            waiting = self.waiting()
            if not waiting:
                return
            try:
                addresses = read_addresses(self._settings, self._home)
                self._failing = {
                    address: pause
                    for address in addresses
                    if (pause := self._tell(address, waiting, at)) is not None
                }
                errors = [f"{service_of(address)} takes no messages" for address in self._failing]
            except SheetrackError as error:
                addresses, errors = [], [str(error)]
            self._note("; ".join(errors))
            self._forget(addresses, waiting, at)

    def _tell(self, address: str, waiting: Sequence[Notification], at: datetime) -> Pause | None:
        """Until when it is left alone; None: it has everything."""
        pause = self._failing.get(address)
        if pause and at < pause.until:
            return pause
        new = [notification for notification in waiting if notification.number > self._taken_by(address)]
        if new and not deliver(address, *message(new, at)):
            length = min(2 * pause.length, _LONGEST_PAUSE) if pause else _FIRST_PAUSE
            return Pause(at + length, length)
        if new:
            row = {"digest": _digest(address), "taken": new[-1].number}
            with self._database.begin() as connection:
                connection.execute(insert(_Address).values(row).on_conflict_do_update(["digest"], set_=row))
        return None

    def _taken_by(self, address: str) -> int:
        query = sa.select(_Address.taken).where(_Address.digest == _digest(address))
        with self._reading.connect() as connection:
            return connection.scalar(query) or 0

    def _forget(self, addresses: Sequence[str], waiting: Sequence[Notification], at: datetime) -> None:
        taken = min((self._taken_by(address) for address in addresses), default=0)
        given_up = [
            notification
            for notification in waiting
            if notification.number > taken and at - notification.at > _PATIENCE
        ]
        if given_up:
            log.warning("%d notifications were not taken in two days and are given up", len(given_up))
        done = [
            notification.number
            for notification in waiting
            if notification.number <= taken or notification in given_up
        ]
        with self._database.begin() as connection:
            connection.execute(sa.delete(_Notification).where(_Notification.number.in_(done)))

    def _note(self, error: str) -> None:
        if error and error != self.error:
            log.warning("people are not told: %s", error)
        self.error = error


def _digest(address: str) -> str:
    """Addresses hold secrets, which do not belong into the store."""
    return hashlib.sha256(address.encode()).hexdigest()
