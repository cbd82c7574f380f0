"""Messages through Apprise: mail, Slack and a hundred other services.

An address holds a secret, so no message, log or error says more of it than its service.
"""

import logging
import os
from pathlib import Path
from types import ModuleType

from backend.errors import InvalidError
from backend.settings import NotifySettings, private_text

ADDRESSES_VARIABLE = "SHEETRACK_NOTIFY_URLS"


def read_addresses(settings: NotifySettings, home: Path) -> list[str]:
    """Those of the environment where it has any, otherwise those of the file.

    Raises:
        InvalidError: there are none, others may read them, or Apprise does not understand one.
    """
    file = home / settings.urls_file
    given = os.environ.get(ADDRESSES_VARIABLE) or private_text(file, "file of addresses")
    lines = (line.strip() for line in given.splitlines())
    addresses = [line for line in lines if line and not line.startswith("#")]
    if not addresses:
        raise InvalidError(
            f"{file} has no address to send to.", "Put Apprise's addresses into it, one a line."
        )
    known = _apprise().Apprise.instantiate
    for place, address in enumerate(addresses, start=1):
        if known(address) is None:
            raise InvalidError(
                f"Address {place} of those to send to is none that Apprise knows.",
                "Correct it; Apprise's own pages say how each service is written.",
            )
    return addresses


def service_of(address: str) -> str:
    """`slack`, `mailto`: the only part that may be shown."""
    return address.split("://", maxsplit=1)[0]


def deliver(address: str, title: str, body: str) -> bool:
    """Sends a message within seconds; returns whether it was taken."""
    apprise = _apprise()
    sender = apprise.Apprise()
    sender.add(address)
    return bool(sender.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT))


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
