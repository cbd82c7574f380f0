"""The spreadsheet through a script in the lab's own account: no key, and nothing in Google's cloud console.

The script (`apps_script/relay/Relay.js`) is a web app. It answers a POST with a redirect, which is followed with
GET, and where something is wrong Google puts a page for people in place of JSON, mostly with status 200.
"""

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from backend.errors import InvalidError, UnavailableError
from backend.settings import GoogleSettings, private_text
from backend.sheets.google.relay_pages import page_error
from backend.sheets.google.transport import FROM_VALUES, PASSING, CallError, is_rate_limit, silent

SECRET_BYTES = 32
_TIMEOUT_SECONDS = 60.0
"""A script needs seconds for what the Sheets API does at once."""
_AGAIN = "Run `sheetrack connect google`, paste its file over the script's code, then deploy a new version."
_OWNER = "the account that runs the relay"


def read_secret(settings: GoogleSettings, home: Path) -> str:
    """What the relay knows this home by.

    Raises:
        InvalidError: there is no usable secret, or others may read it.
    """
    file = home / settings.relay_secret_file
    secret = private_text(file, "relay's secret")
    if not re.fullmatch(r"[A-Za-z0-9_-]{32,}", secret):
        raise InvalidError(f"{file} is not the secret of a relay.", f"Delete it. {_AGAIN}")
    return secret


class Relay:
    """Calls the Sheets API through the lab's relay script."""

    account = _OWNER

    def __init__(self, settings: GoogleSettings, home: Path) -> None:
        """Raises: InvalidError: there is no usable secret."""
        self._id = settings.spreadsheet
        self._address = str(settings.relay)
        self._secret = read_secret(settings, home).encode()
        # Google writes its pages in the reader's language, and relay_pages knows the English ones.
        self._client = httpx.Client(
            timeout=_TIMEOUT_SECONDS,
            follow_redirects=True,
            max_redirects=5,
            headers={"Accept-Language": "en", "User-Agent": "Sheetrack"},
        )

    def close(self) -> None:
        self._client.close()

    def get(self, fields: str, ranges: Sequence[str]) -> object:
        return self._call("get", options={"fields": fields, "ranges": list(ranges)})

    def values(self, place: str) -> object:
        return self._call("values.get", range=place, options=FROM_VALUES)

    def search(self, body: Mapping[str, Any]) -> object:
        return self._call("developerMetadata.search", body=body)

    def batch_update(self, body: Mapping[str, Any]) -> object:
        return self._call("batchUpdate", body=body)

    def _call(self, method: str, **given: object) -> object:
        call = json.dumps({"spreadsheet": self._id, "method": method, **given}, separators=(",", ":"))
        head = f"{time.time() * 1000:013.0f} {secrets.token_hex(16)}"
        signature = hmac.new(self._secret, f"{head}\n{call}".encode(), hashlib.sha256).hexdigest()
        try:
            answer = self._client.post(
                self._address,
                content=f"{head} {signature}\n{call}",
                headers={"Content-Type": "text/plain;charset=utf-8"},
            )
        except httpx.TimeoutException:
            raise silent(_TIMEOUT_SECONDS) from None
        except httpx.DecodingError:
            raise CallError(502, "its answer is broken") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CallError(503, f"the relay cannot be reached, {type(error).__name__}") from None
        try:
            content = answer.json()
        except ValueError:
            raise page_error(answer) from None
        if not isinstance(content, dict) or content.get("relay") != 1:
            raise CallError(502, "", meaning=_not_a_relay(self._address), passes=False)
        if "refused" in content:
            raise _refusal(content)
        if content.get("status") != 200:
            raise _google_error(content)
        return content.get("answer")


def _not_a_relay(address: str) -> UnavailableError:
    return UnavailableError(f"What answers at {address} is not Sheetrack's relay.", _AGAIN)


def _refusal(content: Mapping[str, Any]) -> CallError:
    """Why the script itself did not pass the call on."""
    match content["refused"]:
        case "signature":
            said, hint = "The relay does not know this home's secret.", _AGAIN
        case "clock":
            said, hint = _clock_difference(content.get("now")), "Set the clock, then try again."
        case "spreadsheet":
            said, hint = "The relay is for another spreadsheet.", _AGAIN
        case "service":
            said = "The relay lacks the Google Sheets API."
            hint = (
                "In its editor choose + beside Services, then Google Sheets API, Add. Deploy a new version."
            )
        case "replay":
            return CallError(503, "the relay was busy, or got a request twice")
        case _:
            said, hint = "The relay is of another version of Sheetrack.", _AGAIN
    return CallError(403, said, meaning=UnavailableError(said, hint), passes=False)


def _clock_difference(google_ms: object) -> str:
    if not isinstance(google_ms, int | float):
        return "This machine's clock is not Google's."
    seconds = time.time() - google_ms / 1000
    return f"This machine's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} Google's."


def _google_error(content: Mapping[str, Any]) -> CallError:
    """What Google answered to the script, which saw no header of it."""
    status, message = content.get("status"), str(content.get("message", ""))
    if not isinstance(status, int):
        return CallError(502, "its answer is not whole")
    meaning = None
    if "has not been used" in message or "is disabled" in message:
        meaning = UnavailableError(
            "The Google Sheets API is off in the relay's project.",
            "In its editor choose + beside Services, then Google Sheets API, Add. Deploy a new version.",
        )
    elif status == 401 or "authoriz" in message.casefold() or "Required permissions" in message:
        meaning = UnavailableError(
            f"The relay may not use the spreadsheet any more: {message.strip().rstrip('.')[:200]}.",
            "Open its editor, run `doGet` once and allow what Google asks, then try again.",
        )
    limited = is_rate_limit(f"{message} {content.get('reasons')}")
    if limited:
        meaning = None
    return CallError(
        status, message, meaning=meaning, passes=meaning is None and (limited or status in PASSING)
    )
