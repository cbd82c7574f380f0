"""Brings tables to the sheets; what does not arrive waits in the store until it does.

The workbook is written at once. Google may be slow or away, so it is written by `flush` alone, which
nobody waits for, and always with the newest state of each tab.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from backend.errors import SheetrackError, UnavailableError
from backend.sheets import Sheet
from backend.sheets.table import Table
from backend.store import Outgoing, Store

log = logging.getLogger(__name__)


class Publisher:
    def __init__(self, store: Store, workbook: Sheet, google: Callable[[], Sheet] | None = None) -> None:
        """`google` opens the lab's Google sheet, once it is needed."""
        self._store = store
        self._workbook = workbook
        self._google = google
        self._writing, self._sending = threading.Lock(), threading.Lock()
        self._written: set[str] = set()
        """Versions of waiting tabs that the workbook shows already."""
        self.trouble = ""
        """Why a sheet could not be written the last time; empty when it could."""

    def publish(self, tables: Sequence[Table], gone: Sequence[str] = ()) -> None:
        """Notes what the tabs shall show, and shows it in the workbook."""
        contents: dict[str, str | None] = dict.fromkeys(gone)
        contents |= {table.name: table.model_dump_json() for table in tables}
        self._store.put_outgoing(contents)
        self._write()

    def flush(self) -> bool:
        """Publishes all that waits, in one call to each sheet; returns whether they have everything."""
        if not self._write():
            return False
        if self._google is None:
            return True
        with self._sending:
            waiting = self._store.outgoing()
            try:
                if waiting:
                    _publish(self._google(), waiting)
            except SheetrackError as error:
                self._note(error)
                return False
            self._store.sent(waiting)
            self.trouble = ""
            return True

    def _write(self) -> bool:
        with self._writing:
            waiting = self._store.outgoing()
            new = [item for item in waiting if item.version not in self._written]
            try:
                if new:
                    _publish(self._workbook, new)
            except UnavailableError as error:
                self._note(error)
                return False
            self._written = {item.version for item in waiting}
            if self._google is None:
                self._store.sent(waiting)
                self.trouble = ""
            return True

    def _note(self, error: SheetrackError) -> None:
        self.trouble = str(error)
        log.warning("the sheet is not up to date: %s", error)


def _publish(sheet: Sheet, waiting: Sequence[Outgoing]) -> None:
    tables = [Table.model_validate_json(item.content) for item in waiting if item.content is not None]
    sheet.publish(tables, gone=[item.tab for item in waiting if item.content is None])
