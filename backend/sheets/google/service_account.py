"""The spreadsheet through a service account: google-api-python-client with a key from the home."""

import json
import stat
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

import google_auth_httplib2
import httplib2
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import GoogleAuthError, RefreshError
from google.oauth2.service_account import Credentials as ServiceAccountCredentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from backend.errors import InvalidError, UnavailableError
from backend.settings import GoogleSettings
from backend.sheets.google.transport import FROM_VALUES, PASSING, CallError, is_rate_limit, silent

_TIMEOUT_SECONDS = 15.0
_SCOPE = "https://www.googleapis.com/auth/spreadsheets"


class ServiceAccount:
    """Calls the Sheets API as a service account, or without any key where the settings name another server."""

    def __init__(self, settings: GoogleSettings, key_folder: Path) -> None:
        """Raises: InvalidError: there is no usable key."""
        self._id = settings.spreadsheet
        endpoint = settings.api_endpoint
        credentials: Credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
        self.account = "anyone"
        if endpoint is None:
            credentials = read_key(key_folder / settings.key_file)
            self.account = str(credentials.service_account_email)
        http = httplib2.Http(timeout=_TIMEOUT_SECONDS)
        self._http = google_auth_httplib2.AuthorizedHttp(credentials, http)
        options = {"api_endpoint": endpoint} if endpoint else None
        self._sheets = build(
            "sheets", "v4", http=self._http, client_options=options, cache_discovery=False
        ).spreadsheets()

    def close(self) -> None:
        self._http.close()

    def get(self, fields: str, ranges: Sequence[str]) -> object:
        return self._send(
            self._sheets.get(spreadsheetId=self._id, ranges=list(ranges), fields=fields).execute
        )

    def values(self, place: str) -> object:
        call = self._sheets.values().get(spreadsheetId=self._id, range=place, **FROM_VALUES)
        return self._send(call.execute)

    def search(self, body: Mapping[str, Any]) -> object:
        call = self._sheets.developerMetadata().search(spreadsheetId=self._id, body=body)
        return self._send(call.execute)

    def batch_update(self, body: Mapping[str, Any]) -> object:
        return self._send(self._sheets.batchUpdate(spreadsheetId=self._id, body=body).execute)

    def _send(self, send: Callable[[], object]) -> object:
        try:
            return send()
        except TimeoutError:
            raise silent(_TIMEOUT_SECONDS) from None
        except RefreshError as error:
            raise CallError(401, "", meaning=self._refused_key(str(error.args[0]))) from error
        except HttpError as error:
            status = error.status_code
            limited = status == 403 and is_rate_limit(error.content.decode("utf-8", "replace"))
            raise CallError(
                status,
                error.reason,
                retry_after=error.resp.get("retry-after"),
                meaning=None if limited else self._explained(status, error.reason),
                passes=limited or status in PASSING,
            ) from None
        except (HTTPException, httplib2.HttpLib2Error) as error:
            self._http.close()  # httplib2 would use the broken connection again
            raise CallError(503, type(error).__name__) from None
        except (OSError, GoogleAuthError) as error:
            raise CallError(503, str(error)) from None
        except (ValueError, TypeError, AttributeError, LookupError):
            # google-api-python-client passes on what its JSON reader says of an answer that is no JSON.
            raise CallError(502, "its answer is not JSON") from None

    def _explained(self, status: int, message: str) -> UnavailableError | None:
        if status == 401:
            return self._refused_key(message)
        if status == 403 and ("has not been used" in message or "is disabled" in message):
            return UnavailableError(
                f"The Google Sheets API is off: {message.rstrip('.')}.", "Enable it in the key's project."
            )
        return None

    def _refused_key(self, message: str) -> UnavailableError:
        return UnavailableError(
            f"Google does not accept the key of {self.account}: {message.strip().rstrip('.')}.",
            "Check this machine's clock, or make the service account a new key.",
        )


def read_key(file: Path) -> ServiceAccountCredentials:
    """The service account in a key file.

    Raises:
        InvalidError: there is none, or others may read it.
    """
    try:
        content = file.read_bytes()
        mode = file.stat().st_mode
    except OSError as error:
        raise InvalidError(
            f"There is no service account key in {file}: {error.strerror}.",
            "Download one as JSON from the Google Cloud console and put it there.",
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InvalidError(f"Others can read {file}.", f"Run: chmod 600 {file}")
    return parse_key(content, file)


def parse_key(content: bytes, file: Path) -> ServiceAccountCredentials:
    """The service account in the content of `file`.

    Raises:
        InvalidError: there is none.
    """
    try:
        # google-auth leaves its own signatures untyped.
        account: ServiceAccountCredentials = ServiceAccountCredentials.from_service_account_info(  # type: ignore[no-untyped-call]
            json.loads(content), scopes=[_SCOPE]
        )
    except (ValueError, TypeError, AttributeError, GoogleAuthError):
        # The library's own words may quote the key.
        raise InvalidError(f"{file} is not the key of a service account.", "Download it again.") from None
    return account
