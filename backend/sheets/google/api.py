"""One spreadsheet over the Sheets API, whichever way it is reached.

Bounded in every direction: calls have a time-out, failures are tried again a few times with jitter, and a
minute sees fewer writes than Google allows. An answer that is not what Google documents counts as a failure.
What still fails becomes one sentence; the caller decides when to ask again.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar

from gspread.utils import absolute_range_name

from backend.errors import UnavailableError
from backend.settings import GoogleSettings
from backend.sheets import MismatchError
from backend.sheets.google.transport import CallError, Transport

WRITES_PER_MINUTE = 50
"""Google allows 60 for each account; the rest is for other programs of the same account."""

Request = Mapping[str, Any]
"""One entry of a `spreadsheets.batchUpdate`."""

_ATTEMPTS = 3
_LONGEST_WAIT_SECONDS = 10.0
"""A call that has to wait longer fails at once."""
_LONGEST_PAUSE_SECONDS = 300.0
"""For how long Google is left alone at most, whatever it asks for."""
Answer = TypeVar("Answer")


class ProtectedError(MismatchError):
    """People protected what was to be written. Trying again does not help."""


class GoogleApi:
    """One spreadsheet. Safe to use from several threads, which then wait for each other."""

    def __init__(
        self,
        settings: GoogleSettings,
        home: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        """`home` is where relative paths of `settings` start.

        Raises:
            InvalidError: there is no usable key or secret.
        """
        self.id = settings.spreadsheet
        self._transport = open_transport(settings, home)
        self._clock = clock
        self._closed: Future[None] = Future()
        self._calling = threading.Lock()
        self._sleep = sleep or self._rest
        self._closed_until = clock()
        self._written: deque[float] = deque(maxlen=WRITES_PER_MINUTE)
        self._lock = threading.Lock()

    @property
    def account(self) -> str:
        """As whom the spreadsheet is opened, in words."""
        return self._transport.account

    def close(self) -> None:
        """Closes the connections. Calls in progress end at once, with an error."""
        if not self._closed.done():
            self._closed.set_result(None)
        self._close_transport()

    def spreadsheet(self, fields: str, ranges: Sequence[str] = ()) -> dict[str, Any]:
        """The spreadsheet's `fields`, of all tabs or of `ranges`.

        Raises:
            MismatchError: a range names no tab.
            UnavailableError: Google does not answer, or refuses.
        """

        def send() -> dict[str, Any]:
            answer = _object(self._transport.get(fields, ranges))
            if not _is_whole(answer, fields):
                raise _broken()
            return answer

        return self._send(send)

    def marks(self, key: str) -> list[dict[str, Any]]:
        """Every developer metadata called `key`, with its present place."""
        body = {"dataFilters": [{"developerMetadataLookup": {"metadataKey": key}}]}

        def send() -> list[dict[str, Any]]:
            found = _object(self._transport.search(body)).get("matchedDeveloperMetadata", [])
            try:
                marks = [entry["developerMetadata"] for entry in found]
                if all(mark["location"] for mark in marks):
                    return marks
            except (TypeError, KeyError):
                pass
            raise _broken()

        return self._send(send)

    def values(self, tab: str) -> list[list[str | int | float | bool | None]]:
        """What a tab's cells show, dates as days since 1899-12-30.

        Raises:
            MismatchError: there is no such tab.
            UnavailableError: Google does not answer, or refuses.
        """

        def send() -> list[list[str | int | float | bool | None]]:
            answer = _object(self._transport.values(absolute_range_name(tab)))
            rows = answer.get("values", [])
            # Google leaves `values` out where the tab is empty, and never `range`.
            if "range" in answer and isinstance(rows, list) and all(isinstance(row, list) for row in rows):
                return rows
            raise _broken()

        return self._send(send)

    def batch_update(self, batch: Sequence[Request]) -> None:
        """Does all of `batch` in one call, or nothing of it.

        Raises:
            MismatchError: a request does not fit the spreadsheet as it is now.
            UnavailableError: Google does not answer, or refuses, or was written too often.
        """
        body = {"requests": list(batch)}

        def send() -> None:
            if "spreadsheetId" not in _object(self._transport.batch_update(body)):
                raise _broken()

        self._send(send, writes=True)

    def _send(self, send: Callable[[], Answer], *, writes: bool = False) -> Answer:
        with self._lock:
            for attempt in range(1, _ATTEMPTS + 1):
                self._admit(writes)
                try:
                    return self._awaited(send)
                except CallError as error:
                    if not error.passes:
                        raise self._explained(error, writes) from error
                    wait = self._pause(attempt, error.retry_after)
                    if attempt == _ATTEMPTS or wait > _LONGEST_WAIT_SECONDS:
                        raise self._explained(error, writes) from error
                    self._sleep(wait)
        raise AssertionError

    def _awaited(self, send: Callable[[], Answer]) -> Answer:
        """What `send` returns. A Google that does not answer must not keep the backend from stopping."""
        answer: Future[Answer] = Future()

        def call() -> None:
            with self._calling:
                try:
                    answer.set_result(send())
                except BaseException as error:  # noqa: BLE001 - it is raised again where the answer is awaited
                    answer.set_exception(error)
            if self._closed.done():
                self._close_transport()  # the call was given up

        if not self._closed.done():
            threading.Thread(target=call, name="google", daemon=True).start()
            either: list[Future[Any]] = [answer, self._closed]
            wait(either, return_when=FIRST_COMPLETED)
        if not answer.done():
            raise UnavailableError("The connection to Google is closed.", "It opens when the backend starts.")
        return answer.result()

    def _close_transport(self) -> None:
        """Unless a call is in progress, which does it when it ends: closed under it, it would connect once more."""
        if self._calling.acquire(blocking=False):
            try:
                self._transport.close()
            finally:
                self._calling.release()

    def _rest(self, seconds: float) -> None:
        wait((self._closed,), timeout=seconds)

    def _admit(self, writes: bool) -> None:
        at = self._clock()
        if at < self._closed_until:
            wait = self._closed_until - at
            raise UnavailableError(f"Google asks to wait {wait:.0f} s more.", "It is tried again then.")
        if writes:
            full = len(self._written) == self._written.maxlen
            if full and at - self._written[0] < 60:
                raise UnavailableError(
                    f"Google was written {WRITES_PER_MINUTE} times within a minute.",
                    "The newest state follows within a minute.",
                )
            self._written.append(at)

    def _pause(self, attempt: int, asked: str | None) -> float:
        """Seconds until the next attempt: what Google asks for, or longer each time, with jitter."""
        jitter: float = random.uniform(0.5, 1)  # noqa: S311 - no secret
        seconds = _seconds(asked)
        if seconds is None:
            return jitter * float(2**attempt)
        if seconds > _LONGEST_WAIT_SECONDS:
            self._closed_until = self._clock() + min(seconds, _LONGEST_PAUSE_SECONDS)
        return seconds + jitter

    def _explained(self, error: CallError, writes: bool) -> UnavailableError:
        message = error.message
        if error.meaning:
            return error.meaning
        match error.status:
            case 400 if "protected cell" in message:
                return ProtectedError(
                    "Its protection does not let Sheetrack write.",
                    f"Let {self.account} edit it, or rename it.",
                )
            case 400 if "not supported for this document" in message:
                return UnavailableError(
                    "The file is an Excel workbook, which the Sheets API does not open.",
                    "In its menu choose File > Save as Google Sheets, and connect the new spreadsheet.",
                )
            case 400 if writes or "Unable to parse range" in message:
                return MismatchError(f"Google does not accept what was sent: {message}.")
            case 400:
                return UnavailableError(
                    f"Google does not accept what was asked: {message}.", "If it stays so, please report it."
                )
            case 403 if not error.passes and "permission" in message.casefold():
                return UnavailableError(
                    f"Google does not let {self.account} into the spreadsheet.",
                    f"Share the sheet with {self.account} as Editor.",
                )
            case 403 if not error.passes:
                return UnavailableError(
                    f"Google refuses {self.account}: {message}.",
                    f"Share the sheet with {self.account} as Editor, if it is not yet.",
                )
            case 404:
                return UnavailableError(
                    f"There is no spreadsheet {self.id}, or {self.account} may not see it.",
                    "Copy its address from the browser, then run: sheetrack connect google",
                )
            case status:
                return UnavailableError(
                    f"Google does not answer now ({status}: {message}).", "It is tried again later."
                )


def open_transport(settings: GoogleSettings, home: Path) -> Transport:
    """The way to the spreadsheet that the settings choose.

    Raises:
        InvalidError: there is no usable key or secret.
    """
    if settings.relay:
        from backend.sheets.google.relay import Relay  # noqa: PLC0415 - one of the two is used

        return Relay(settings, home)
    from backend.sheets.google.service_account import ServiceAccount  # noqa: PLC0415 - takes 0.3 s

    return ServiceAccount(settings, home)


def _broken() -> CallError:
    """Counts as a connection that broke: the call may have been carried out."""
    return CallError(502, "its answer is not whole")


def _object(answer: object) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise _broken()
    return answer


def _is_whole(answer: Mapping[str, Any], fields: str) -> bool:
    """Whether `answer` has what Google never leaves out of a `spreadsheets.get` of `fields`."""
    properties, tabs = answer.get("properties"), answer.get("sheets")
    has_tabs = isinstance(tabs, list) and len(tabs) > 0 and all(map(_is_tab, tabs))
    has_properties = isinstance(properties, dict) and len(properties) > 0
    return (has_tabs or "sheets(" not in fields) and (has_properties or not fields.startswith("properties("))


def _is_tab(entry: object) -> bool:
    properties = entry.get("properties") if isinstance(entry, dict) else None
    return isinstance(properties, dict) and isinstance(properties.get("title"), str)


def _seconds(asked: str | None) -> float | None:
    """A `Retry-After` header, which holds seconds or a date; None: there is none that makes sense."""
    if asked is None:
        return None
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
