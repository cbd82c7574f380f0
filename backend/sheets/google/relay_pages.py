"""The pages that Google shows people in place of a script's answer, and what each means here."""

import html
import re
from urllib.parse import urlsplit

import httpx

from backend.errors import UnavailableError
from backend.sheets.google.transport import PASSING, CallError

_ACCESS = (
    "In the script choose Deploy > Manage deployments > Edit, and set: Execute as Me, Who has access Anyone."
)
_ADDRESS = (
    "In the script choose Deploy > Manage deployments, copy the address of the web app (it ends in /exec), "
    "then run: sheetrack connect google"
)
_NEW_VERSION = (
    "Run `sheetrack connect google`, paste its file over the script's code, "
    "then choose Deploy > Manage deployments > Edit > Version: New version."
)
_LATER = "It is tried again later."
_QUOTA_RESETS = "Google counts a day at a time; it goes on when the day is over."

_PAGES: tuple[tuple[str, str, str, bool], ...] = (
    # what the page says, what it means, what to do, whether the next attempt may succeed
    ("unable to open the file", "Google cannot open the relay at this address.", _ADDRESS, True),
    ("simultaneous", "Too many requests reach the relay at once.", _LATER, True),
    (
        "too many times|too much computer time|quota|limit exceeded|rate limit",
        "The relay's account has used up what Google allows its scripts in a day.",
        _QUOTA_RESETS,
        False,
    ),
    ("maximum execution time", "The relay took longer than the 6 minutes Google allows.", _LATER, False),
    ("script function not found", "The deployed version is not Sheetrack's relay.", _NEW_VERSION, False),
    (
        "does not exist|page not found|has been deleted|was not found|deployment.*(disabled|archived)",
        "The relay's deployment was disabled or deleted.",
        _ADDRESS,
        False,
    ),
    (
        "administrator|admin policy|app is blocked|terms of service",
        "An administrator of the relay's Google account has blocked it.",
        "Ask them to allow Apps Script web apps for this account; deploy/google.md says what to ask for.",
        False,
    ),
    (
        "authorization is required|needs? your permission",
        "The relay's owner has not allowed it to use spreadsheets.",
        "Open its editor, run `doGet` once and allow what Google asks, then try again.",
        False,
    ),
    (
        "need access|do not have permission|permission to access",
        "The relay does not let us in.",
        _ACCESS,
        False,
    ),
    (
        "server error|try again|reading from storage|temporar",
        "Google's script service has a fault.",
        _LATER,
        True,
    ),
)
_SIGN_IN = ("The relay asks for a sign-in.", _ACCESS)
_INVISIBLE = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def page_error(answer: httpx.Response) -> CallError:
    """What an answer without JSON means."""
    status = answer.status_code if answer.status_code >= 400 else 502
    text = _visible(answer.text[:100_000])
    if is_sign_in(str(answer.url)):
        return _error(status, *_SIGN_IN, passes=False)
    for pattern, said, hint, passes in _PAGES:
        if re.search(pattern, text, re.IGNORECASE):
            return _error(status, said, hint, passes=passes)
    if not text:
        return CallError(status, "its answer is empty", passes=answer.is_success or status in PASSING)
    said = f"In place of the relay's answer came a page: {text[:200].rstrip('.')}."
    return _error(status, said, _ADDRESS, passes=status in PASSING)


def is_sign_in(address: str) -> bool:
    """Whether Google leads to `address` those who have to sign in first."""
    parts = urlsplit(address)
    return (
        parts.hostname == "accounts.google.com" or "/ServiceLogin" in parts.path or "/signin/" in parts.path
    )


def _error(status: int, said: str, hint: str, *, passes: bool) -> CallError:
    return CallError(status, said, meaning=UnavailableError(said, hint), passes=passes)


def _visible(page: str) -> str:
    return " ".join(html.unescape(_INVISIBLE.sub(" ", page)).split())
