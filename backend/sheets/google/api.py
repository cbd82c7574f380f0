"""Talks to Google: google-api-python-client for structured requests, gspread for tabs by their names.

Bounded in every direction: calls have a time-out, failures are tried again a few times with jitter, and a
minute sees fewer writes than Google allows. What still fails becomes one sentence; asking again later is
the caller's affair.
"""

import random
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import google_auth_httplib2
import gspread
import httplib2
import requests
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import GoogleAuthError, RefreshError
from google.oauth2.service_account import Credentials as ServiceAccount
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from gspread.exceptions import APIError
from gspread.utils import absolute_range_name

from backend.errors import InvalidError, UnavailableError
from backend.settings import GoogleSettings
from backend.sheets import MismatchError

WRITES_PER_MINUTE = 50
"""Google allows 60 for each account; the rest is for whoever else uses the key."""

Request = Mapping[str, Any]
"""One entry of a `spreadsheets.batchUpdate`."""

_TIMEOUT_SECONDS = 15
_ATTEMPTS = 3
_LONGEST_WAIT_SECONDS = 10.0
_PASSING = {429, 500, 502, 503, 504}
_SCOPE = "https://www.googleapis.com/auth/spreadsheets"
_FROM_VALUES = {"valueRenderOption": "UNFORMATTED_VALUE", "dateTimeRenderOption": "SERIAL_NUMBER"}


class GoogleApi:
    """One spreadsheet. Safe to use from several threads, which then wait for each other."""

    def __init__(
        self,
        settings: GoogleSettings,
        key_folder: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises: InvalidError: there is no usable key."""
        self._id = settings.spreadsheet
        self._clock, self._sleep = clock, sleep
        self._closed_until = clock()
        self._written: deque[float] = deque(maxlen=WRITES_PER_MINUTE)
        self._lock = threading.Lock()
        endpoint = settings.api_endpoint
        credentials: Credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
        self.account = "anyone"
        """Whom the spreadsheet has to be shared with."""
        if endpoint is None:
            credentials = read_key(key_folder / settings.key_file)
            self.account = str(credentials.service_account_email)
        self._http = google_auth_httplib2.AuthorizedHttp(credentials, httplib2.Http(timeout=_TIMEOUT_SECONDS))
        options = {"api_endpoint": endpoint} if endpoint else None
        self._sheets = build(
            "sheets", "v4", http=self._http, client_options=options, cache_discovery=False
        ).spreadsheets()
        self._values = _Values(credentials, endpoint)
        self._values.set_timeout(_TIMEOUT_SECONDS)

    def close(self) -> None:
        """Lets go of the connections."""
        self._http.close()
        self._values.session.close()

    def spreadsheet(self, fields: str, ranges: Sequence[str] = ()) -> dict[str, Any]:
        """The spreadsheet's `fields`, of all tabs or of `ranges`.

        Raises:
            MismatchError: a range names no tab.
            UnavailableError: Google does not answer, or refuses.
        """
        call = self._sheets.get(spreadsheetId=self._id, ranges=list(ranges), fields=fields)
        answer: dict[str, Any] = self._send(call.execute)
        return answer

    def marks(self, key: str) -> list[dict[str, Any]]:
        """Every developer metadata called `key`, with its present place."""
        body = {"dataFilters": [{"developerMetadataLookup": {"metadataKey": key}}]}
        call = self._sheets.developerMetadata().search(spreadsheetId=self._id, body=body)
        found = self._send(call.execute).get("matchedDeveloperMetadata", [])
        return [entry["developerMetadata"] for entry in found]

    def values(self, tab: str) -> list[list[str | int | float | bool | None]]:
        """What a tab's cells show, dates as days since 1899-12-30."""
        name = absolute_range_name(tab)
        answer = self._send(lambda: self._values.values_get(self._id, name, params=dict(_FROM_VALUES)))
        rows: list[list[str | int | float | bool | None]] = answer.get("values", [])
        return rows

    def batch_update(self, batch: Sequence[Request]) -> None:
        """Does all of `batch` in one call, or nothing of it.

        Raises:
            MismatchError: a request does not fit the spreadsheet as it is now.
            UnavailableError: Google does not answer, or refuses, or was written too often.
        """
        call = self._sheets.batchUpdate(spreadsheetId=self._id, body={"requests": list(batch)})
        self._send(call.execute, writes=True)

    def _send(self, send: Callable[[], Any], *, writes: bool = False) -> Any:
        with self._lock:
            for attempt in range(1, _ATTEMPTS + 1):
                self._admit(writes)
                try:
                    return send()
                except TimeoutError:
                    raise UnavailableError(
                        f"Google did not answer within {_TIMEOUT_SECONDS} s.", "It is tried again later."
                    ) from None
                except RefreshError as error:
                    raise self._explained(401, str(error.args[0])) from error
                except HttpError as error:
                    fault, asked = (error.status_code, error.reason or ""), error.resp.get("retry-after")
                except APIError as error:
                    fault = (error.response.status_code, str(error.error.get("message", "")))
                    asked = error.response.headers.get("retry-after")
                except (requests.Timeout, requests.ConnectionError, httplib2.HttpLib2Error) as error:
                    fault, asked = (503, type(error).__name__), None
                except (OSError, GoogleAuthError) as error:
                    fault, asked = (503, str(error)), None
                if fault[0] not in _PASSING:
                    raise self._explained(*fault)
                wait = self._pause(attempt, asked)
                if attempt == _ATTEMPTS or wait > _LONGEST_WAIT_SECONDS:
                    raise self._explained(*fault)
                self._sleep(wait)
        raise AssertionError

    def _admit(self, writes: bool) -> None:
        at = self._clock()
        if at < self._closed_until:
            wait = self._closed_until - at
            raise UnavailableError(f"Google asks to wait {wait:.0f} s more.", "It is tried again by itself.")
        if writes:
            full = len(self._written) == self._written.maxlen
            if full and at - self._written[0] < 60:
                raise UnavailableError(
                    f"Google was written {WRITES_PER_MINUTE} times within a minute.",
                    "The newest state follows by itself.",
                )
            self._written.append(at)

    def _pause(self, attempt: int, asked: str | None) -> float:
        """Seconds until the next attempt: what Google asks for, or longer each time, never all at once."""
        jitter: float = random.uniform(0.5, 1)  # noqa: S311 - no secret
        if asked is None or not asked.isdigit():
            return jitter * float(2**attempt)
        if int(asked) > _LONGEST_WAIT_SECONDS:
            self._closed_until = self._clock() + int(asked)
        return int(asked) + jitter

    def _explained(self, status: int, said: str) -> UnavailableError:
        said = said.strip().rstrip(".")
        match status:
            case 400 if "protected cell" in said:
                return MismatchError(
                    "Somebody protects it from being written.", f"Let {self.account} edit it, or rename it."
                )
            case 400:
                return MismatchError(f"Google does not accept what was sent: {said}.")
            case 401:
                return UnavailableError(
                    f"Google does not accept the key of {self.account}: {said}.",
                    "Check this machine's clock, or make the service account a new key.",
                )
            case 403 if "has not been used" in said or "is disabled" in said:
                return UnavailableError(
                    f"The Google Sheets API is off: {said}.", "Enable it in the key's project."
                )
            case 403:
                return UnavailableError(
                    f"Google does not let {self.account} into the spreadsheet.",
                    f"Share the sheet with {self.account} as Editor.",
                )
            case 404:
                return UnavailableError(
                    f"There is no spreadsheet {self._id}.",
                    "Copy its address from the browser into google.spreadsheet in settings.toml.",
                )
            case _:
                return UnavailableError(
                    f"Google does not answer now ({status}: {said}).", "It is tried again later."
                )


def read_key(file: Path) -> ServiceAccount:
    """The service account in a key file.

    Raises:
        InvalidError: there is none, or others may read it.
    """
    try:
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InvalidError(f"Others can read {file}.", f"Run: chmod 600 {file}")
        # google-auth leaves its own signatures untyped.
        account: ServiceAccount = ServiceAccount.from_service_account_file(  # type: ignore[no-untyped-call]
            str(file), scopes=[_SCOPE]
        )
    except OSError as error:
        raise InvalidError(
            f"There is no service account key in {file}: {error.strerror}.",
            "Download one as JSON from the Google Cloud console and put it there.",
        ) from None
    except (ValueError, GoogleAuthError):
        # The library's own words may quote the key.
        raise InvalidError(f"{file} is not the key of a service account.", "Download it again.") from None
    return account


class _Values(gspread.HTTPClient):
    """gspread's client, at another address where the settings name one."""

    def __init__(self, credentials: Credentials, endpoint: str | None) -> None:
        super().__init__(credentials)
        self._endpoint = endpoint

    def request(self, method: str, endpoint: str, *args: Any, **kwargs: Any) -> requests.Response:
        if self._endpoint:
            endpoint = self._endpoint.rstrip("/") + urlsplit(endpoint).path
        return super().request(method, endpoint, *args, **kwargs)
