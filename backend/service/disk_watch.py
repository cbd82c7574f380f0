"""The disk of the home while it is full: what people are told. Nothing can be stored then, nor a notification."""

import time
from collections.abc import Callable

import sqlalchemy as sa

from backend.database import write_fault
from backend.errors import LEAST_FREE_MIB, free_mib, full_disk
from backend.settings import Home


class DiskWatch:
    """Looks whether things can be stored, and warns people once they cannot for a while."""

    def __init__(
        self, home: Home, database: sa.Engine, warn: Callable[[str], None] | None, hold_seconds: float
    ) -> None:
        """`warn` tells people without the store; a fault and its end are told once they lasted `hold_seconds`."""
        self._home = home
        self._database = database
        self._warn = warn
        self._hold_seconds = hold_seconds
        self._since = time.monotonic()
        self._told = ""
        self.fault = ""
        """Why nothing can be stored, or hardly anything, when it was last looked; empty where all can."""

    def look(self) -> None:
        """Looks now."""
        at, before = time.monotonic(), self.fault
        self.fault = self._found()
        if bool(self.fault) != bool(before):
            self._since = at
        if self._warn and at - self._since >= self._hold_seconds and bool(self.fault) != bool(self._told):
            self._told = self.fault
            self._warn(self.fault or f"What is new is stored in {self._home.path} again.")

    def _found(self) -> str:
        for folder in (self._home.path, self._home.runs):
            if folder.exists() and free_mib(folder) < LEAST_FREE_MIB:
                return str(full_disk(folder))
        return write_fault(self._database, self._home.store_file)
