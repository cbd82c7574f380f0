"""Incidents: periods in which a server was down, stale, overloaded, faulty, restarted or in maintenance."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from backend.database import Moment
from backend.servers.faults import texts
from backend.servers.state import ServerStatus, State

GPU_FAULT = "gpu fault"
DISK_FAULT = "disk fault"
REBOOT = "reboot"
_REBOOT_SHOWN = timedelta(minutes=10)
_STATES = (State.OVERLOADED, State.STALE, State.DOWN, State.MAINTENANCE)
_MOST = 200

_INCIDENTS = sa.table(
    "incidents",
    sa.column("id", sa.Integer),
    sa.column("server", sa.Text),
    sa.column("state", sa.Text),
    sa.column("reason", sa.Text),
    sa.column("since", Moment),
    sa.column("until", Moment),
)


class Incident(BaseModel):
    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    state: str
    """`overloaded`, `stale`, `down`, `maintenance`, `gpu fault`, `disk fault` or `reboot`."""
    reason: str
    """The last reason, which names durations and counts."""
    since: AwareDatetime = Field(serialization_alias="from")
    until: AwareDatetime | None = Field(serialization_alias="to")
    """None: it has not ended."""


class Incidents:
    """Stored incidents. Only the serving backend writes them."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._reading = database.execution_options(reading=True)
        self._noting = threading.Lock()
        self._lasting: dict[tuple[str, str], str] | None = None
        """The reason of each (server, state) that has not ended."""

    def note(self, servers: Sequence[ServerStatus], at: datetime) -> None:
        """Stores which incidents began and ended since the last call. Without a change it writes nothing."""
        current = {
            (server.name, state): incident for server in servers for state, incident in _incidents(server, at)
        }
        with self._noting:
            if self._lasting is None:
                self._lasting = self._read_lasting()
            ended = {key: reason for key, reason in self._lasting.items() if key not in current}
            began = [key for key in current if key not in self._lasting]
            if ended or began:
                self._write(ended, {key: current[key] for key in began}, at)
            self._lasting = {key: reason for key, (reason, _) in current.items()}

    def _read_lasting(self) -> dict[tuple[str, str], str]:
        query = sa.select(_INCIDENTS.c.server, _INCIDENTS.c.state, _INCIDENTS.c.reason).where(
            _INCIDENTS.c.until.is_(None)
        )
        with self._reading.connect() as connection:
            return {(server, state): reason for server, state, reason in connection.execute(query)}

    def _write(
        self,
        ended: dict[tuple[str, str], str],
        began: dict[tuple[str, str], tuple[str, datetime]],
        at: datetime,
    ) -> None:
        with self._database.begin() as connection:
            for (server, state), reason in ended.items():
                connection.execute(
                    sa.update(_INCIDENTS)
                    .where(
                        _INCIDENTS.c.server == server,
                        _INCIDENTS.c.state == state,
                        _INCIDENTS.c.until.is_(None),
                    )
                    .values(until=at, reason=reason)
                )
            rows = [
                {"server": server, "state": state, "reason": reason, "since": since}
                for (server, state), (reason, since) in began.items()
            ]
            if rows:
                connection.execute(sa.insert(_INCIDENTS), rows)

    def between(self, server: str, since: datetime, until: datetime) -> list[Incident]:
        """The server's incidents that overlap that time, newest first, at most 200."""
        query = (
            sa.select(_INCIDENTS.c.state, _INCIDENTS.c.reason, _INCIDENTS.c.since, _INCIDENTS.c.until)
            .where(_INCIDENTS.c.server == server, _INCIDENTS.c.since < until)
            .where(_INCIDENTS.c.until.is_(None) | (_INCIDENTS.c.until > since))
            .order_by(_INCIDENTS.c.since.desc(), _INCIDENTS.c.id.desc())
            .limit(_MOST)
        )
        with self._reading.connect() as connection:
            return [Incident(**row) for row in connection.execute(query).mappings()]

    def forget_before(self, moment: datetime) -> None:
        with self._database.begin() as connection:
            connection.execute(sa.delete(_INCIDENTS).where(_INCIDENTS.c.until < moment))


def _incidents(server: ServerStatus, at: datetime) -> list[tuple[str, tuple[str, datetime]]]:
    """The states that are incidents, each with its reason and its beginning."""
    verdict, found = server.verdict, []
    for state, kind in ((GPU_FAULT, "gpu"), (DISK_FAULT, "disk")):
        faults = [fault for fault in server.faults if fault.kind == kind and not fault.is_warning]
        if faults:
            found.append((state, ("; ".join(texts(faults)), at)))
    if server.rebooted_at and timedelta() <= at - server.rebooted_at < _REBOOT_SHOWN:
        found.append((REBOOT, ("it has started again", server.rebooted_at)))
    if verdict.state in _STATES:
        found.append((verdict.state.value, (verdict.reason, verdict.since or at)))
    return found
