"""Publishes tables to the sheets. What a sheet does not take yet waits in the store.

The workbook is written at once. Google may be slow or away, so `flush` alone writes it, and nothing waits
for that. A tab is written only when its table changed: the workbook, with what waits, is the record of it.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from backend.errors import SheetrackError, UnavailableError
from backend.sheets import MismatchError, Sheet, StoredSheet
from backend.sheets.table import Table
from backend.tabs.outbox import Outbox, Outgoing

log = logging.getLogger(__name__)

_REFUSED_SECONDS = 600
"""How long a tab that Google refuses rests before it is tried again."""
_REPAIR_SECONDS = 600
"""How often tabs that are missing in Google are looked for."""


@dataclass(frozen=True)
class _Refusal:
    text: str
    until: float


class Publisher:
    """Safe to use from several threads."""

    def __init__(
        self, outbox: Outbox, workbook: StoredSheet, google: Callable[[], Sheet] | None = None
    ) -> None:
        """`google` opens the lab's Google sheet, once it is needed."""
        self._outbox = outbox
        self._workbook = workbook
        self._google = google
        self._writing, self._sending = threading.Lock(), threading.Lock()
        self._written: set[str] = set()
        """Versions of waiting tabs that the workbook shows already."""
        self._refused: dict[str, _Refusal] = {}
        """Versions of waiting tabs that Google does not take."""
        self._repair_at = 0.0
        self.error = ""
        """Why a sheet could not be written the last time; empty when it could."""

    def publish(self, tables: Sequence[Table], gone: Sequence[str] = ()) -> None:
        """Shows what changed of `tables` in the workbook, and notes it for Google; removes the tabs `gone`."""
        contents: dict[str, str | None] = dict.fromkeys(gone)
        contents |= {table.name: table.model_dump_json() for table in tables}
        known = self._contents(list(contents))
        if changed := {tab: content for tab, content in contents.items() if known.get(tab) != content}:
            self._outbox.put(changed)
        self._write()

    def shown(self) -> set[str]:
        """The names of Sheetrack's tabs, as far as they were published."""
        shown = self._workbook.shown()
        for item in self._outbox.waiting():
            (shown.discard if item.content is None else shown.add)(item.tab)
        return shown

    def flush(self) -> bool:
        """Publishes all that waits, in one call to each sheet; returns whether they show everything."""
        if not self._write():
            return False
        if self._google is None:
            return True
        with self._sending:
            try:
                self._put_missing()
                waiting = {item.version: item for item in self._outbox.waiting()}
                self._refused = {
                    version: refusal
                    for version, refusal in self._refused.items()
                    if version in waiting and time.monotonic() < refusal.until
                }
                self._send([item for version, item in waiting.items() if version not in self._refused])
            except SheetrackError as error:
                self._note(str(error))
                return False
            self._note(" ".join(refusal.text for refusal in self._refused.values()))
            return not self._refused

    def _contents(self, tabs: Sequence[str]) -> dict[str, str | None]:
        """What the tabs were last published to show; None: nothing, as they were removed."""
        waiting = {item.tab: item.content for item in self._outbox.waiting()}
        return {**self._workbook.contents(tabs), **waiting}

    def _put_missing(self) -> None:
        """Notes for Google what people deleted there, and what another release drew."""
        if self._google is None or time.monotonic() < self._repair_at:
            return
        missing = self._workbook.shown() - self._google().shown()
        missing -= {item.tab for item in self._outbox.waiting()}
        contents = self._workbook.contents(missing).items()
        self._outbox.put({tab: content for tab, content in contents if _table(content)})
        self._repair_at = time.monotonic() + _REPAIR_SECONDS

    def _send(self, waiting: Sequence[Outgoing]) -> None:
        """All in one call; where Google refuses that, one by one, so that no tab holds up others."""
        if not waiting or self._google is None:
            return
        try:
            self._publish(self._google(), waiting)
        except MismatchError as error:
            self._send_apart(waiting, str(error))
        except SheetrackError:
            raise
        except Exception as error:
            # A tab that cannot be drawn must not hold up the others.
            log.exception("tabs cannot be drawn: %s", ", ".join(item.tab for item in waiting))
            self._send_apart(waiting, f"it cannot be drawn ({type(error).__name__}); the log says more.")
        else:
            self._outbox.sent(waiting)

    def _send_apart(self, waiting: Sequence[Outgoing], reason: str) -> None:
        if len(waiting) > 1:
            for item in waiting:
                self._send([item])
            return
        refusal = _Refusal(f"{waiting[0].tab}: {reason}", time.monotonic() + _REFUSED_SECONDS)
        self._refused[waiting[0].version] = refusal

    def _write(self) -> bool:
        with self._writing:
            waiting = self._outbox.waiting()
            new = [item for item in waiting if item.version not in self._written]
            try:
                if new:
                    self._publish(self._workbook, new)
            except UnavailableError as error:
                self._note(str(error))
                return False
            self._written = {item.version for item in waiting}
            if self._google is None:
                self._outbox.sent(waiting)
                self._note("")
            return True

    def _publish(self, sheet: Sheet, waiting: Sequence[Outgoing]) -> None:
        tables, gone = [], []
        for item in waiting:
            if item.content is None:
                gone.append(item.tab)
                continue
            if table := _table(item.content):
                tables.append(table)
            else:
                # The next start makes it again from what is stored about jobs and results.
                log.warning("the tab %s is not published: another release of Sheetrack stored it", item.tab)
                self._outbox.sent([item])
        sheet.publish(tables, gone)

    def _note(self, error: str) -> None:
        if error and error != self.error:
            log.warning("the sheet is not up to date: %s", error)
        self.error = error


def _table(content: str) -> Table | None:
    """The table of a stored tab; None where this release cannot read it."""
    try:
        return Table.model_validate_json(content)
    except ValidationError:
        return None
