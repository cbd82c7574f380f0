"""Brings tables to the sheet; what does not arrive waits in the store until it does."""

import logging
import threading
from collections.abc import Sequence

from backend.errors import UnavailableError
from backend.sheets import Sheet
from backend.sheets.table import Table
from backend.store import Store

log = logging.getLogger(__name__)


class Publisher:
    def __init__(self, store: Store, sheet: Sheet) -> None:
        self._store = store
        self._sheet = sheet
        self._lock = threading.Lock()
        self.trouble = ""
        """Why the sheet could not be written the last time; empty when it could."""

    def publish(self, tables: Sequence[Table], gone: Sequence[str] = ()) -> None:
        """Notes what the tabs shall show, then tries to show it."""
        contents: dict[str, str | None] = dict.fromkeys(gone)
        contents |= {table.name: table.model_dump_json() for table in tables}
        self._store.put_outgoing(contents)
        self.flush()

    def flush(self) -> bool:
        """Publishes all that waits, in one call to the sheet; returns whether the sheet has everything."""
        with self._lock:
            waiting = self._store.outgoing()
            if not waiting:
                return True
            tables = [Table.model_validate_json(item.content) for item in waiting if item.content is not None]
            try:
                self._sheet.publish(tables, gone=[item.tab for item in waiting if item.content is None])
            except UnavailableError as error:
                self.trouble = str(error)
                log.warning("the sheet is not up to date: %s", error)
                return False
            self._store.sent(waiting)
            self.trouble = ""
            return True
