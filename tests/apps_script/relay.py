"""The relay's real file, run by Node as a web app in front of a Sheets server: one process for all tests of a process."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from backend.settings import GoogleSettings
from tests.apps_script.node import serving
from tests.google.server import SheetsServer

HOST = Path(__file__).parent / "relay_host.mjs"
SECRET = "5ec2e7" * 10 + "0000"


class DeployedRelay:
    """A web app while it is deployed."""

    def __init__(self, origin: str, number: int) -> None:
        self._world_address = f"{origin}/world/{number}"
        self.address = f"{origin}/macros/s/{number}/exec"

    def change(self, **world: Any) -> None:
        """From now on the world is like this; see relay_host.mjs for what it can be."""
        self._world(**world)

    def seen(self) -> dict[str, Any]:
        """What has happened so far; see `seen` in relay_host.mjs."""
        return self._world()

    def _world(self, **change: Any) -> dict[str, Any]:
        seen: dict[str, Any] = httpx.post(self._world_address, json=change).raise_for_status().json()
        return seen


def relay_settings(relay: DeployedRelay, home: Path, **changes: Any) -> GoogleSettings:
    """Settings that reach the spreadsheet through `relay`, and its secret in `home`."""
    secret = home / "relay-secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET)
    return GoogleSettings.model_validate({"spreadsheet": "lab", "relay": relay.address} | changes)


@contextmanager
def deployed(server: SheetsServer, pasted: Path, **world: Any) -> Iterator[DeployedRelay]:
    """Serves the script in the file `pasted` while the block lasts."""
    world = {"file": str(pasted), "sheets": server.address, **world}
    number = httpx.post(f"{_host()}/deploy", json=world).raise_for_status().json()
    relay = DeployedRelay(_host(), number)
    yield relay
    relay.change(page={"html": "Sorry, the file you have requested does not exist.", "status": 404})


@cache
def _host() -> str:
    return serving(HOST)
