"""Refresh: read every server, judge, store."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self

from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DatabaseError

from backend.database import database_error
from backend.probe.sampler import Sampler
from backend.probe.snapshot import Snapshot
from backend.servers import reasons
from backend.servers.faults import missing_gpus
from backend.servers.known_gpus import KnownGpus
from backend.servers.last_hour import LastHour
from backend.servers.maintenance import Maintenance
from backend.servers.past import Past, follow
from backend.servers.poller import Poller
from backend.servers.readings import Readings
from backend.servers.server import Server
from backend.servers.state import Held, KnownGpu, ServerStatus, State, Verdict
from backend.servers.use import use_percent
from backend.servers.verdict import TRIES, faults, judge, suggest
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
        known_gpus: KnownGpus | None = None,
        held: Callable[[], Mapping[str, Mapping[str, Held]]] = dict,
    ) -> None:
        """The functions are called when their results are needed.

        Args:
            servers: all servers that are read.
            readings: stores their answers.
            interval_seconds: how often `refresh` is called.
            sampler: makes the reader of this machine, given the server's name.
            maintenance: the maintenance that people announced, by the server's name.
            known_gpus: remembers the GPUs that each server ever had; None: nothing does.
            held: the GPUs that are held and idle, by the server's name and the GPU.
        """
        self._interval_seconds = interval_seconds
        self._known = {server.name: _Known(server, interval_seconds) for server in servers}
        self._readings = readings
        self._sampler = sampler
        self._maintenance = maintenance
        self._known_gpus = known_gpus
        self._held = held
        self._refreshing = threading.Lock()
        self._poller: Poller | None = None
        self._unsaved: deque[Snapshot] = deque(maxlen=_MOST_UNSAVED)

    def refresh(self) -> list[ServerStatus]:
        """Reads all servers at once and stores what they answer.

        A server that answers is in `current` at once, the others at the end.
        """
        with self._refreshing:
            poller, past = self._opened()
            for missed in past:
                self._remember(missed)
            snapshots = self._poll(poller)
            self._remember(snapshots)
            self._note_gpus(snapshots)
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
            poller, _ = self._opened()
            self._poll(poller)
        return self.current()

    def current(self) -> list[ServerStatus]:
        """Every server as it is now, the best to take first; without numbers that no longer hold."""
        at, maintenance, held = now().astimezone(), self._maintenance(), self._held()
        gpus = self._known_gpus.by_server() if self._known_gpus else {}
        return suggest(
            [
                known.status(at, maintenance.get(name), gpus.get(name, ()), held.get(name, {}))
                for name, known in self._known.items()
            ]
        )

    def is_in_doubt(self) -> bool:
        """Whether the next round decides that a server is down."""
        return any(known.silent_tries == TRIES - 1 for known in self._known.values())

    def verdict_of(self, server: str) -> Verdict | None:
        """The verdict of the server of that name, None without such a server."""
        status = self.status_of(server)
        return status.verdict if status else None

    def status_of(self, server: str) -> ServerStatus | None:
        """The server of that name as it is now, None without such a server."""
        known = self._known.get(server)
        if known is None:
            return None
        gpus = self._known_gpus.by_server() if self._known_gpus else {}
        return known.status(now().astimezone(), self._maintenance().get(server), gpus.get(server, ()))

    def look_at(self, server: str) -> ServerStatus | None:
        """Reads one server now, and returns it as `status_of` does; for what must not rest on an older reading."""
        poller = self._poller
        if poller and server in self._known:
            snapshot = poller.poll_one(server)
            if not snapshot.failure:
                self._add(snapshot)
        return self.status_of(server)

    def close(self) -> None:
        with self._refreshing:
            if self._poller:
                self._poller.close()
                self._poller = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self) -> tuple[Poller, list[list[Snapshot]]]:
        """The poller, and at the first call what `_recall` brings; then this machine's CPU use is known, too."""
        if self._poller:
            return self._poller, []
        self._poller = Poller([known.server for known in self._known.values()], self._sampler)
        is_read = self._poller.start_here()
        past = self._recall(self._poller, self._known)
        if is_read:
            time.sleep(_CPU_SECONDS)
        return self._poller, past

    def _poll(self, poller: Poller) -> list[Snapshot]:
        snapshots = poller.poll(self._add)
        for snapshot in snapshots:
            if snapshot.failure:
                self._add(snapshot)
        return snapshots

    def _note_gpus(self, snapshots: Sequence[Snapshot]) -> None:
        if self._known_gpus is None:
            return
        try:
            self._known_gpus.note(snapshots)
        except DatabaseError as error:
            log.warning("new GPUs wait to be stored: %s", database_error(error))

    def _add(self, snapshot: Snapshot) -> None:
        self._known[snapshot.server].add(snapshot)

    def _recall(self, poller: Poller, names: Iterable[str]) -> list[list[Snapshot]]:
        """Takes up the stored past of these servers, then the readings of the last hour that only agents have.

        Returns the latter, a list for each agent, oldest first.
        """
        earliest = now() - _RECALLED
        since = {name: max(earliest, self._restore(name, earliest)) for name in names}
        remote = {name: at for name, at in since.items() if not self._known[name].server.is_here}
        missed = poller.history(remote)
        for snapshots in missed:
            for snapshot in snapshots:
                self._add(snapshot)
        return missed

    def _restore(self, name: str, earliest: datetime) -> datetime:
        """Takes up the stored past of a server; returns the time of its last answer, or `earliest`."""
        known = self._known[name]
        try:
            content = self._readings.past(name)
            if content is None or not known.restore(content):
                for snapshot in self._readings.between(name, earliest):  # stored by an older release
                    self._add(snapshot)
        except DatabaseError as error:
            log.warning("stored readings of %s are not taken up: %s", name, database_error(error))
        return known.seen_at or earliest

    def _remember(self, snapshots: Sequence[Snapshot]) -> None:
        self._unsaved.extend(snapshots)
        pasts = {name: known.stored() for name, known in self._known.items()}
        try:
            self._readings.remember(self._unsaved, pasts)
        except DatabaseError as error:
            log.warning("readings wait to be stored: %s", database_error(error))
        else:
            self._unsaved.clear()


class _StoredPast(BaseModel):
    """What the next backend goes on from."""

    past: Past
    last_hour: list[tuple[int, float, int]]


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

    @property
    def seen_at(self) -> datetime | None:
        return self._past.answer.at if self._past.answer else None

    def add(self, snapshot: Snapshot) -> None:
        with self._lock:
            self._past = follow(self._past, snapshot, self._interval_seconds)
            self._failed = snapshot if snapshot.failure else None
            self._last_hour.add(snapshot.at, use_percent(snapshot))

    def stored(self) -> str:
        with self._lock:
            past, minutes = self._past, self._last_hour.minutes
        return _StoredPast(past=past, last_hour=minutes).model_dump_json(exclude_defaults=True)

    def restore(self, content: bytes) -> bool:
        """Goes on from what another backend stored; False where that is of another release."""
        try:
            stored = _StoredPast.model_validate_json(content)
        except ValidationError:
            return False
        with self._lock:
            self._past = stored.past
            self._last_hour.restore(stored.last_hour)
        return True

    def status(
        self,
        at: datetime,
        maintenance: Maintenance | None,
        known_gpus: Sequence[KnownGpu] = (),
        held: Mapping[str, Held] | None = None,
    ) -> ServerStatus:
        with self._lock:
            past, failed, last_hour = self._past, self._failed, self._last_hour.values(at)
        answer = past.answer
        verdict = judge(past, at, self._interval_seconds, known_gpus=known_gpus, held=held)
        holds = verdict.state not in (State.STALE, State.DOWN) or (past.is_unsteady and failed is None)
        if maintenance and maintenance.covers(at):
            reason = reasons.maintenance(maintenance.reason, maintenance.by, maintenance.until, at)
            verdict = Verdict(state=State.MAINTENANCE, reason=reason, since=maintenance.since)
        elif self.server.maintenance:
            verdict = Verdict(state=State.MAINTENANCE, reason=self.server.maintenance)
        return ServerStatus(
            name=self.server.name,
            verdict=verdict,
            snapshot=answer if holds else failed,
            last=None if holds else answer,
            seen_at=answer.at if answer else None,
            rebooted_at=past.rebooted_at,
            faults=tuple(faults(past, at, known_gpus)) if holds or past.is_unsteady else (),
            missing_gpus=tuple(missing_gpus(answer, known_gpus)) if answer else (),
            advice=reasons.advice(answer),
            trains=self.server.trains,
            last_hour=last_hour,
        )
