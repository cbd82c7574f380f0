"""The rights of people whom Google has identified. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from backend.errors import RefusedError
from backend.settings import PeopleSettings
from backend.text import plain_text

_LONGEST_NAME = 200
ISSUERS = ("accounts.google.com", "https://accounts.google.com")


class Role(StrEnum):
    SEE = "see"
    LAUNCH = "launch"
    """See, launch and cancel."""
    COMMANDS = "commands"
    """All that, and run programs of their own."""


@dataclass(frozen=True)
class Person:
    name: str
    role: Role
    decides: bool = False
    """Whether they may put jobs first and override reservations."""


Identify = Callable[[str], Person]
"""The person who sent a bearer token. Raises: RefusedError: with the one reason why not."""


class UnknownError(RefusedError):
    """The request does not prove who sent it."""

    status = 401
    code = "unknown_person"


class UnknownAddOnError(RefusedError):
    """Google has signed the request, for an add-on that is not known here."""

    code = "unknown_add_on"

    def __init__(self, client_id: str, person: str) -> None:
        super().__init__(
            f"The backend does not know this add-on yet (client ID {client_id}).",
            "Accept it in the terminal of `sheetrack up` or on its page, then open the sidebar again. "
            "A copied sheet has another client ID.",
        )
        self.client_id = client_id
        self.person = person
        """The address of its user, as far as Google has verified it; empty otherwise."""


class TooOftenError(RefusedError):
    status = 429
    code = "too_often"

    def __init__(self, message: str) -> None:
        super().__init__(message, "Try again in a minute.")


def admit(claims: Mapping[str, Any], people: PeopleSettings) -> Person:
    """The person with these `claims` of an identity token, if the lab has listed them.

    Raises:
        RefusedError: the claims are not Google's, not for us, or of a person who is not listed.
    """
    if claims.get("iss") not in ISSUERS:
        raise UnknownError(
            "The identity token was not issued by Google Accounts.", "Use the add-on's sidebar."
        )
    email = str(claims.get("email", "")).casefold()
    is_verified = bool(email) and claims.get("email_verified") is True
    audience = claims.get("aud")
    if audience not in people.audiences:
        person = plain_text(email, _LONGEST_NAME) if is_verified and audience else ""
        raise UnknownAddOnError(plain_text(str(audience or "unknown"), _LONGEST_NAME), person)
    if not is_verified:
        raise RefusedError(
            f"Google has not verified the address {email or 'of this account'}.",
            "Verify it at myaccount.google.com, or use another account.",
        )
    # An address alone proves no membership: only Google Workspace states the domain of a person.
    domain = str(claims.get("hd", "")).casefold()
    for role in (Role.COMMANDS, Role.LAUNCH, Role.SEE):
        if _is_listed(email, domain, getattr(people, role)):
            decides = role is not Role.SEE and _is_listed(email, domain, people.decide)
            return Person(email, role, decides=decides)
    raise RefusedError(
        f"{email} is not on the list of people.",
        "Ask the person who runs the backend to add it to people.see or people.launch in settings.toml.",
    )


def _is_listed(email: str, domain: str, entries: Iterable[str]) -> bool:
    """Whether the address, or the Workspace domain to which it belongs, is one of `entries`."""
    listed = {entry.casefold().removeprefix("@") for entry in entries}
    return email in listed or bool(domain and domain in listed and email.endswith(f"@{domain}"))
