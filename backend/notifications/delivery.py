"""Messages through Apprise: mail, Slack and a hundred other services.

An address holds a secret: messages, logs and errors contain only its service.
"""

import logging
import os
from pathlib import Path
from types import ModuleType

from backend.errors import InvalidError
from backend.settings import NotifySettings, private_text

ADDRESSES_VARIABLE = "SHEETRACK_NOTIFY_URLS"


def read_addresses(settings: NotifySettings, home: Path) -> tuple[list[str], list[str]]:
    """The addresses that Apprise understands, and a sentence for each other one.

    They come from the environment where it has any, otherwise from the file.

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
    understood, problems = [], []
    for place, address in enumerate(addresses, start=1):
        if instantiate(address) is None:
            problems.append(
                f"Address {place} of the notifications is none that Apprise understands: correct it, as Apprise's "
                "documentation shows."
            )
        else:
            understood.append(address)
    return understood, problems


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
