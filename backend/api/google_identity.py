"""Identity tokens of Google accounts, which the add-on sends with every request."""

import math
import threading
import time
from collections.abc import Mapping
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
_TIMEOUT_SECONDS = 5
_PAUSE_SECONDS = 15
"""How long nothing is asked of Google after its certificates could not be fetched."""


class GoogleIdentity:
    """Verifies tokens by Google's certificates, which are kept until they expire."""

    def __init__(self, people: PeopleSettings, certificates: str = CERTIFICATES) -> None:
        self._people = people
        self._certificates = certificates
        self._session = cachecontrol.CacheControl(requests.Session())
        self._request = cast("Request", partial(Request(session=self._session), timeout=_TIMEOUT_SECONDS))
        self._lock = threading.Lock()
        self._away_until_seconds = -math.inf

    def person(self, token: str) -> Person:
        """The person who sent `token`.

        Raises:
            RefusedError: the token is not valid, or its owner is not listed.
            UnavailableError: Google's certificates cannot be fetched.
        """
        if not token:
            raise UnknownError(
                "No Google identity came with the request.",
                "If several Google accounts are signed in, use a window with only one of them.",
            )
        try:
            claims = self._verified(token)
        except (ValueError, GoogleAuthError) as error:
            raise _refusal(token) from error
        return admit(claims, self._people)

    def _verified(self, token: str) -> Mapping[str, Any]:
        """The claims of `token`. Where Google does not answer, one request waits for it and not all of them."""
        with self._lock:
            if time.monotonic() < self._away_until_seconds:
                raise _away()
            try:
                return id_token.verify_token(
                    token,
                    self._request,
                    certs_url=self._certificates,
                    clock_skew_in_seconds=_SKEW_SECONDS,
                )
            except (TransportError, requests.RequestException) as error:
                self._away_until_seconds = time.monotonic() + _PAUSE_SECONDS
                raise _away() from error

    def close(self) -> None:
        self._session.close()


def _away() -> UnavailableError:
    return UnavailableError(
        "Google's certificates cannot be fetched, so people cannot be identified.",
        "Check that the machine of the backend reaches www.googleapis.com.",
    )


def _refusal(token: str) -> UnknownError:
    """Why a token is not valid, as far as it can be read."""
    try:
        claims: dict[str, Any] = jwt.decode(token, verify=False)  # type: ignore[no-untyped-call]
        issued, expires = float(claims["iat"]), float(claims["exp"])
    except (ValueError, KeyError, TypeError, GoogleAuthError):
        return UnknownError("The request has no valid identity token of Google.", "Use the add-on's sidebar.")
    if expires + _SKEW_SECONDS < time.time():
        return UnknownError(
            "The identity token has expired.", "Try again; if that does not help, check the backend's clock."
        )
    if issued - _SKEW_SECONDS > time.time():
        return UnknownError(
            "The identity token is from the future.", "Set the clock of the machine that runs the backend."
        )
    return UnknownError("The identity token was not signed by Google.", "Use the add-on's sidebar.")
