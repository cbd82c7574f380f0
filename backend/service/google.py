"""What speaks to Google: only labs with Google need it, and only some have its packages installed."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from backend.errors import InvalidError
from backend.settings import GoogleSettings, Home, PeopleSettings
from backend.tabs.names import SERVERS

if TYPE_CHECKING:
    from backend.api.identity import Identify
    from backend.sheets.google.sheet import GoogleSheet


def open_google(home: Home, settings: GoogleSettings) -> GoogleSheet:
    """The lab's Google sheet. Nothing is sent yet.

    Raises:
        InvalidError: Google's libraries or the service account's key are missing.
    """
    with _googles_packages():
        from backend.sheets.google.api import GoogleApi
        from backend.sheets.google.sheet import GoogleSheet
    return GoogleSheet(GoogleApi(settings, home.path), SERVERS, f"{home.path} on {platform.node()}")


def google_identity(people: PeopleSettings) -> Identify:
    """Who sent a token to the public address.

    Raises:
        InvalidError: Google's libraries are missing.
    """
    with _googles_packages():
        from backend.api.google_identity import GoogleIdentity
    return GoogleIdentity(people).person


@contextmanager
def _googles_packages() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise InvalidError(
            f"Google needs a package that is not installed: {error.name}.",
            "Run: pip install 'sheetrack[google]'",
        ) from None
