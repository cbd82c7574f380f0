"""Messages through Apprise: mail, Slack and a hundred other services.

An address holds a secret: messages, logs and errors contain only its service.
"""

import logging
import os
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from urllib.parse import quote

from backend.errors import InvalidError
from backend.settings import NotifySettings, private_text

ADDRESSES_VARIABLE = "SHEETRACK_NOTIFY_URLS"
PLACE = "{address}"
"""Where an address that reaches one person has that person's mail address."""


class Addresses(NamedTuple):
    """Apprise's addresses of the lab."""

    everyone: list[str]
    """They get the notifications."""
    people: list[str]
    """They reach one person, whose mail address takes the place of `{address}`."""
    problems: list[str]
    """A sentence for each that Apprise does not understand."""


def read_addresses(settings: NotifySettings, home: Path) -> Addresses:
    """The addresses from the environment where it has any, otherwise from the file.

    Raises:
        InvalidError: there are none, or others may read them.
    """
    file = home / settings.urls_file
    given = os.environ.get(ADDRESSES_VARIABLE) or private_text(file, "file of addresses")
    lines = (line.strip() for line in given.splitlines())
    addresses = [line for line in lines if line and not line.startswith("#")]
    if not addresses:
        raise InvalidError(f"{file} has no address.", "Put Apprise's addresses into it, one on a line.")
    instantiate = _apprise().Apprise.instantiate
    found = Addresses([], [], [])
    for place, address in enumerate(addresses, start=1):
        if instantiate(to_person(address, "kim@lab.example")) is None:
            found.problems.append(
                f"Address {place} of the notifications is none that Apprise understands: correct it, as Apprise's "
                "documentation shows."
            )
        else:
            (found.people if PLACE in address else found.everyone).append(address)
    return found


def to_person(address: str, mail_address: str) -> str:
    """An address of `Addresses.people` with the person's mail address in it."""
    return address.replace(PLACE, quote(mail_address, safe="@"))


def service_of(address: str) -> str:
    """`slack`, `mailto`: the only part of an address that may be shown."""
    return address.split("://", maxsplit=1)[0]


def deliver(address: str, title: str, body: str) -> bool:
    """Sends a message within seconds; returns whether the service accepted it."""
    apprise = _apprise()
    sender = apprise.Apprise()
    sender.add(address)
    try:
        return bool(sender.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT))
    except Exception:  # noqa: BLE001 - of a hundred services; its words may quote the address
        return False


def _apprise() -> ModuleType:
    """Raises: InvalidError: it is not installed."""
    try:
        import apprise  # noqa: PLC0415 - half a second that only labs with notifications need
    except ModuleNotFoundError:
        raise InvalidError(
            "Notifications need a package: apprise.", "Run: pip install 'sheetrack[notify]'"
        ) from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it writes whole addresses
    return apprise
