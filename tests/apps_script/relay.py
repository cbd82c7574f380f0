"""The relay's real file, run by Node as a web app in front of a Sheets server."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.settings import GoogleSettings
from tests.google.server import SheetsServer

HOST = Path(__file__).parent / "relay_host.mjs"
SECRET = "5ec2e7" * 10 + "0000"


class DeployedRelay:
    """A web app while it is deployed."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self.address = f"{origin}/macros/s/lab/exec"

    def change(self, **world: Any) -> None:
        """From now on the world is like this; see relay_host.mjs for what it can be."""
        self._world(**world)

    def seen(self) -> dict[str, Any]:
        """What has happened so far; see `seen` in relay_host.mjs."""
        return self._world()

    def _world(self, **change: Any) -> dict[str, Any]:
        seen: dict[str, Any] = httpx.post(f"{self._origin}/world", json=change).raise_for_status().json()
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
    node = shutil.which("node")
    if node is None:
        pytest.fail("needs Node 20 or newer: sudo apt-get install nodejs")
    command = [node, str(HOST), str(pasted), json.dumps({"sheets": server.address, **world})]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdin
        yield DeployedRelay(f"http://127.0.0.1:{int(process.stdout.readline())}")
        process.stdin.close()
