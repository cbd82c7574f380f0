"""Identity tokens of Google accounts: what the add-on sends with every request."""

import threading
import time
from functools import partial
from typing import Any, cast

import cachecontrol
import requests
from google.auth import jwt
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import Request
from google.oauth2 import id_token

from backend.api.identity import Person, UnknownError, admit
from backend.errors import UnavailableError
from backend.settings import PeopleSettings

CERTIFICATES = "https://www.googleapis.com/oauth2/v1/certs"
_SKEW_SECONDS = 10
_TIMEOUT_SECONDS = 10


class GoogleIdentity:
    """Verifies tokens by Google's certificates, which are fetched anew only when they run out."""

    def __init__(self, people: PeopleSettings, certificates: str = CERTIFICATES) -> None:
        self._people = people
        self._certificates = certificates
        self._session = cachecontrol.CacheControl(requests.Session())
        self._request = cast("Request", partial(Request(session=self._session), timeout=_TIMEOUT_SECONDS))
        self._lock = threading.Lock()

    def person(self, token: str) -> Person:
        """Who sent `token`.

        Raises:
            RefusedError: nobody who is let in.
            UnavailableError: Google's certificates cannot be had.
        """
        if not token:
            raise UnknownError(
                "No Google identity came with the request.",
                "If several Google accounts are signed in, use a window with only one of them.",
            )
        try:
            with self._lock:
                claims = id_token.verify_token(
                    token,
                    self._request,
                    certs_url=self._certificates,
                    clock_skew_in_seconds=_SKEW_SECONDS,
                )
        except (TransportError, requests.RequestException) as error:
            raise UnavailableError(
                "Google's certificates cannot be fetched, so nobody can be identified.",
                "See whether the machine of the backend reaches www.googleapis.com.",
            ) from error
        except (ValueError, GoogleAuthError) as error:
            raise _refusal(token) from error
        return admit(claims, self._people)

    def close(self) -> None:
        self._session.close()


def _refusal(token: str) -> UnknownError:
    """Why a token does not hold, as far as it says so itself."""
    try:
        claims: dict[str, Any] = jwt.decode(token, verify=False)  # type: ignore[no-untyped-call]
        issued, expires = float(claims["iat"]), float(claims["exp"])
    except (ValueError, KeyError, TypeError, GoogleAuthError):
        return UnknownError("What was sent is no identity token of Google.", "Use the add-on's sidebar.")
    if expires + _SKEW_SECONDS < time.time():
        return UnknownError(
            "The identity token has expired.", "Try again; if that does not help, check the backend's clock."
        )
    if issued - _SKEW_SECONDS > time.time():
        return UnknownError(
            "The identity token is from the future.", "Set the clock of the machine that runs the backend."
        )
    return UnknownError("The identity token was not signed by Google.", "Use the add-on's sidebar.")
