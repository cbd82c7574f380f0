"""Brings tables to the sheets; what does not arrive waits in the store until it does.

The workbook is written at once. Google may be slow or away, so it is written by `flush` alone, which
nobody waits for, and always with the newest state of each tab.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.errors import SheetrackError, UnavailableError
from backend.sheets import MismatchError, Sheet
from backend.sheets.table import Table
from backend.tabs.outbox import Outbox, Outgoing

log = logging.getLogger(__name__)

_REFUSED_SECONDS = 600
"""How long a tab that Google does not take as it is rests before it is tried again."""


@dataclass(frozen=True)
class _Refusal:
    text: str
    until: float


class Publisher:
    def __init__(self, outbox: Outbox, workbook: Sheet, google: Callable[[], Sheet] | None = None) -> None:
        """`google` opens the lab's Google sheet, once it is needed."""
        self._outbox = outbox
        self._workbook = workbook
        self._google = google
        self._writing, self._sending = threading.Lock(), threading.Lock()
        self._written: set[str] = set()
        """Versions of waiting tabs that the workbook shows already."""
        self._refused: dict[str, _Refusal] = {}
        """Versions of waiting tabs that Google does not take."""
        self.error = ""
        """Why a sheet could not be written the last time; empty when it could."""

    def publish(self, tables: Sequence[Table], gone: Sequence[str] = ()) -> None:
        """Notes what the tabs shall show, and shows it in the workbook."""
        contents: dict[str, str | None] = dict.fromkeys(gone)
        contents |= {table.name: table.model_dump_json() for table in tables}
        self._outbox.put(contents)
        self._write()

    def flush(self) -> bool:
        """Publishes all that waits, in one call to each sheet; returns whether they have everything."""
        if not self._write():
            return False
        if self._google is None:
            return True
        with self._sending:
            waiting = {item.version: item for item in self._outbox.waiting()}
            self._refused = {
                version: refusal
                for version, refusal in self._refused.items()
                if version in waiting and time.monotonic() < refusal.until
            }
            try:
                self._send([item for version, item in waiting.items() if version not in self._refused])
            except SheetrackError as error:
                self._note(str(error))
                return False
            self._note(" ".join(refusal.text for refusal in self._refused.values()))
            return not self._refused

    def _send(self, waiting: Sequence[Outgoing]) -> None:
        """All in one call; where Google does not take them together, one by one, so that none holds up others."""
        if not waiting or self._google is None:
            return
        try:
            _publish(self._google(), waiting)
        except MismatchError as error:
            if len(waiting) > 1:
                for item in waiting:
                    self._send([item])
                return
            refusal = _Refusal(f"{waiting[0].tab}: {error}", time.monotonic() + _REFUSED_SECONDS)
            self._refused[waiting[0].version] = refusal
        else:
            self._outbox.sent(waiting)

    def _write(self) -> bool:
        with self._writing:
            waiting = self._outbox.waiting()
            new = [item for item in waiting if item.version not in self._written]
            try:
                if new:
                    _publish(self._workbook, new)
            except UnavailableError as error:
                self._note(str(error))
                return False
            self._written = {item.version for item in waiting}
            if self._google is None:
                self._outbox.sent(waiting)
                self._note("")
            return True

    def _note(self, error: str) -> None:
        if error and error != self.error:
            log.warning("the sheet is not up to date: %s", error)
        self.error = error


def _publish(sheet: Sheet, waiting: Sequence[Outgoing]) -> None:
    tables = [Table.model_validate_json(item.content) for item in waiting if item.content is not None]
    sheet.publish(tables, gone=[item.tab for item in waiting if item.content is None])
