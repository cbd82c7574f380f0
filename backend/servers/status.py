"""Refresh: read every server, judge, store."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy.exc import DatabaseError

from backend.database import database_error
from backend.probe.sampler import Sampler
from backend.probe.snapshot import Snapshot
from backend.servers import reasons
from backend.servers.last_hour import LastHour
from backend.servers.maintenance import Maintenance
from backend.servers.poller import Poller
from backend.servers.readings import Readings
from backend.servers.server import Server
from backend.servers.state import ServerStatus, State, Verdict
from backend.servers.use import use_percent
from backend.servers.verdict import TRIES, Past, follow, judge, suggest
from backend.times import now

log = logging.getLogger(__name__)

_RECALLED = timedelta(hours=1)
_MOST_UNSAVED = 10_000
_CPU_SECONDS = 0.6  # the CPU's use is measured over at least half a second


class Status:
    """The newest state of every server. Safe to use from several threads; rounds never overlap."""

    def __init__(
        self,
        servers: Sequence[Server],
        readings: Readings,
        *,
        interval_seconds: float,
        sampler: Callable[[str], Sampler],
        maintenance: Callable[[], Mapping[str, Maintenance]] = dict,
    ) -> None:
        """The functions are called when their results are needed.

        Args:
            servers: all servers that are read.
            readings: stores their answers.
            interval_seconds: how often `refresh` is called.
            sampler: makes the reader of this machine, given the server's name.
            maintenance: the maintenance that people announced, by the server's name.
        """
        self._interval_seconds = interval_seconds
        self._known = {server.name: _Known(server, interval_seconds) for server in servers}
        self._readings = readings
        self._sampler = sampler
        self._maintenance = maintenance
        self._refreshing = threading.Lock()
        self._poller: Poller | None = None
        self._unsaved: deque[Snapshot] = deque(maxlen=_MOST_UNSAVED)

    def refresh(self) -> list[ServerStatus]:
        """Reads all servers at once and stores what they answer.

        A server that answers is in `current` at once, the others at the end.
        """
        with self._refreshing:
            if self._poller is None:
                self._poller = self._open_poller()
                for missed in self._recall(self._poller, self._known):
                    self._remember(missed)
            self._remember(self._poll(self._poller))
        return self.current()

    def follow(self, servers: Sequence[Server]) -> None:
        """Reads these servers from now on. Those that stay as they were keep their past and connections."""
        with self._refreshing:
            before = self._known
            self._known = {
                server.name: known
                if (known := before.get(server.name)) and known.server == server
                else _Known(server, self._interval_seconds)
                for server in servers
            }
            if self._poller:
                self._poller.follow(servers)
                new = [name for name, known in self._known.items() if before.get(name) is not known]
                for missed in self._recall(self._poller, new):
                    self._remember(missed)

    def look(self) -> list[ServerStatus]:
        """Reads all servers once and stores nothing, for a command beside the backend.

        A stored look would count as time in which the server was followed, in means and GPU-hours.
        """
        with self._refreshing:
            if self._poller is None:
                self._poller = self._open_poller()
                self._recall(self._poller, self._known)
                if self._poller.start_here():
                    time.sleep(_CPU_SECONDS)
            self._poll(self._poller)
        return self.current()

    def current(self) -> list[ServerStatus]:
        """Every server as it is now, the best to take first; without numbers that no longer hold."""
        at, maintenance = now().astimezone(), self._maintenance()
        return suggest([known.status(at, maintenance.get(name)) for name, known in self._known.items()])

    def is_in_doubt(self) -> bool:
        """Whether the next round decides that a server is down."""
        return any(known.silent_tries == TRIES - 1 for known in self._known.values())

    def verdict_of(self, server: str) -> Verdict | None:
        """The verdict of the server of that name, None without such a server."""
        known = self._known.get(server)
        if known is None:
            return None
        return known.status(now().astimezone(), self._maintenance().get(server)).verdict

    def close(self) -> None:
        with self._refreshing:
            if self._poller:
                self._poller.close()
                self._poller = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_poller(self) -> Poller:
        return Poller([known.server for known in self._known.values()], self._sampler)

    def _poll(self, poller: Poller) -> list[Snapshot]:
        snapshots = poller.poll(self._add)
        for snapshot in snapshots:
            if snapshot.failure:
                self._add(snapshot)
        return snapshots

    def _add(self, snapshot: Snapshot) -> None:
        self._known[snapshot.server].add(snapshot)

    def _recall(self, poller: Poller, names: Iterable[str]) -> list[list[Snapshot]]:
        """Takes up the stored readings of these servers of the last hour, then those that only agents have.

        Returns the latter, a list for each agent, oldest first.
        """
        since = dict.fromkeys(names, now() - _RECALLED)
        for name in since:
            for snapshot in self._stored(name, since[name]):
                self._add(snapshot)
                since[name] = snapshot.at
        remote = {name: at for name, at in since.items() if not self._known[name].server.is_here}
        missed = poller.history(remote)
        for snapshots in missed:
            for snapshot in snapshots:
                self._add(snapshot)
        return missed

    def _stored(self, server: str, since: datetime) -> list[Snapshot]:
        try:
            return self._readings.between(server, since)
        except DatabaseError as error:
            log.warning("stored readings of %s are not taken up: %s", server, database_error(error))
            return []

    def _remember(self, snapshots: Sequence[Snapshot]) -> None:
        self._unsaved.extend(snapshots)
        try:
            self._readings.remember(self._unsaved)
        except DatabaseError as error:
            log.warning("readings wait to be stored: %s", database_error(error))
        else:
            self._unsaved.clear()


class _Known:
    """The past of one server: a few hundred numbers, however long it has been followed."""

    def __init__(self, server: Server, interval_seconds: float) -> None:
        self.server = server
        self._interval_seconds = interval_seconds
        self._past = Past()
        self._failed: Snapshot | None = None
        self._last_hour = LastHour()
        self._lock = threading.Lock()

    @property
    def silent_tries(self) -> int:
        return self._past.silent_tries

    def add(self, snapshot: Snapshot) -> None:
        with self._lock:
            self._past = follow(self._past, snapshot, self._interval_seconds)
            self._failed = snapshot if snapshot.failure else None
            self._last_hour.add(snapshot.at, use_percent(snapshot))

    def status(self, at: datetime, maintenance: Maintenance | None) -> ServerStatus:
        with self._lock:
            past, failed, last_hour = self._past, self._failed, self._last_hour.values(at)
        verdict = judge(past, at, self._interval_seconds)
        holds = verdict.state not in (State.STALE, State.DOWN)
        if maintenance and maintenance.covers(at):
            reason = reasons.maintenance(maintenance.reason, maintenance.by, maintenance.until, at)
            verdict = Verdict(state=State.MAINTENANCE, reason=reason, since=maintenance.since)
        elif self.server.maintenance:
            verdict = Verdict(state=State.MAINTENANCE, reason=self.server.maintenance)
        return ServerStatus(
            name=self.server.name,
            verdict=verdict,
            snapshot=past.answer if holds else failed,
            seen_at=past.answer.at if past.answer else None,
            trains=self.server.trains,
            last_hour=last_hour,
        )
