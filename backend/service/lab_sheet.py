"""The lab's Google sheet of a backend: opened once it is needed, left when the backend stops."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from backend.errors import InvalidError, UnavailableError

if TYPE_CHECKING:
    from backend.sheets.google.sheet import GoogleSheet


class LabSheet:
    """Safe to use from several threads."""

    def __init__(self, opened: Callable[[], "GoogleSheet"] | None) -> None:
        """`opened` opens it; None: the lab has none."""
        self._opened = opened
        self._lock = threading.Lock()
        self._sheet: GoogleSheet | None = None
        self._is_left = False

    def __call__(self) -> "GoogleSheet":
        """The sheet, opened by the first thread that needs it.

        Raises:
            InvalidError: there is none, or it cannot be opened.
            UnavailableError: the backend stops.
        """
        with self._lock:
            if self._is_left:
                raise UnavailableError("The backend stops.", "It writes the sheet when it starts again.")
            if self._opened is None:
                raise InvalidError("No Google spreadsheet is named.", "Run `sheetrack connect google`.")
            if self._sheet is None:
                self._sheet = self._opened()
            return self._sheet

    def leave(self) -> None:
        """Ends the calls to Google, whatever they wait for. What was not written yet is written at the next start."""
        with self._lock:
            self._is_left = True
            if self._sheet:
                self._sheet.close()
