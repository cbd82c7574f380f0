"""A refresh: every server read, its incidents noted, its reservation added, the Servers tab published."""

import math
import threading
import time
from collections.abc import Callable, Sequence

from backend.servers.incidents import Incidents
from backend.servers.reservations import NotSetUp, Reservations
from backend.servers.server_list import Servers
from backend.servers.state import ServerStatus
from backend.servers.status import Status
from backend.tabs.publisher import Publisher
from backend.tabs.servers import servers_table
from backend.times import now


class Refresh:
    """Safe to use from several threads; refreshes never overlap."""

    def __init__(
        self,
        known: Servers,
        status: Status,
        incidents: Incidents,
        reservations: Reservations | None,
        publisher: Publisher,
        *,
        on_refreshed: Callable[[Sequence[ServerStatus]], None] | None = None,
        settings_error: Callable[[], str] = str,
        faults: Callable[[], Sequence[str]] = list,
    ) -> None:
        """`settings_error` says why settings.toml as it is now is not used; empty: it is used.

        `faults` gives what else people should know at once, in sentences.
        """
        self._faults = faults
        self._known = known
        self._status = status
        self._incidents = incidents
        self._reservations = reservations
        self._publisher = publisher
        self._on_refreshed = on_refreshed
        self._settings_error = settings_error
        self._refreshing = threading.Lock()
        self._ended_seconds = -math.inf
        self._rounds = 0

    def __call__(self, fresh_seconds: float = 0) -> None:
        """Reads every server and shows what was read, unless a refresh ended less than `fresh_seconds` ago.

        A caller that comes during a refresh waits for its end.
        """
        with self._refreshing:
            if time.monotonic() - self._ended_seconds < fresh_seconds:
                return
            if self._known.refresh():
                self._status.follow(list(self._known.values()))
            read = self._status.refresh()
            # Seen also where the rest cannot be stored, because the disk is full.
            self._rounds += 1
            self._ended_seconds = time.monotonic()
            self._incidents.note(read, now())
            servers = self.servers()
            self._publisher.publish([servers_table(servers, reservations=bool(self._reservations))])
            if self._on_refreshed:
                self._on_refreshed(servers)

    def stamp(self) -> object:
        """Equal as long as the other functions tell the same, but for the time that passes.

        Within a round it stays as it is, and before the first one has ended it is None.
        """
        read = self._reservations.times_read if self._reservations else 0
        return (self._rounds, read, *self.sheet_errors()) if self._rounds else None

    def servers(self) -> Sequence[ServerStatus]:
        """Every server as it is now, with its reservation, the one to take first."""
        servers = self._status.current()
        return self._reservations.shown_on(servers) if self._reservations else servers

    def not_set_up(self) -> list[NotSetUp]:
        """The servers that only the lab's own tab knows."""
        return self._reservations.not_set_up(self._known) if self._reservations else []

    def is_in_doubt(self) -> bool:
        """Whether the next refresh decides that a server is down."""
        return self._status.is_in_doubt()

    def sheet_errors(self) -> list[str]:
        """What keeps the sheets from showing everything, in sentences."""
        errors = [
            self._settings_error(),
            self._known.error,
            self._publisher.error,
            self._reservations.error if self._reservations else "",
            *self._faults(),
        ]
        return [error for error in dict.fromkeys(errors) if error]
