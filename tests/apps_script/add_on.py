"""The add-on's real server files, run by Node: one process for all tests of a process."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from tests.apps_script.node import command, serving
from tests.patience import PATIENCE_SECONDS

HOST = Path(__file__).parent / "host.mjs"


class OpenSheet:
    """The sheet as one person has it open, the add-on in it; the sidebar is the page `address`/openSidebar."""

    def __init__(self, address: str) -> None:
        self.address = address

    def choose(self, name: str) -> None:
        """Runs a function of the menu."""
        assert _asked(f"{self.address}/{name}", []) == {"answer": None}

    def change(self, **world: Any) -> None:
        """From now on the world is like this; see host.mjs for what it can be."""
        _asked(f"{self.address}/world", world)

    def seen(self) -> dict[str, Any]:
        """What the person has seen so far; see `seen` in host.mjs."""
        seen: dict[str, Any] = _asked(f"{self.address}/world", {})
        return seen


@contextmanager
def opened(**world: Any) -> Iterator[OpenSheet]:
    """Serves the sidebar, and what it calls, while the block lasts."""
    address = f"{_host()}/{_asked(f'{_host()}/open', world)}"
    yield OpenSheet(address)
    httpx.delete(address).raise_for_status()


def start(*calls: list[Any], **world: Any) -> subprocess.Popen[str]:
    """Makes the calls, each `[name, *arguments]`, in a process of their own; see host.mjs for what a world can be."""
    words = command(HOST, json.dumps({"calls": calls, **world}))
    return subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What came of it: `results`, what the person saw, `properties`, `functions`; see `seen` in host.mjs."""
    output, error = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, error
    seen: dict[str, Any] = json.loads(output)
    return seen


def run(*calls: list[Any], **world: Any) -> dict[str, Any]:
    """What came of the calls, as `finish` returns it."""
    seen: dict[str, Any] = _asked(f"{_host()}/run", {"calls": calls, **world})
    return seen


def answer(*calls: list[Any], **world: Any) -> Any:
    """The answer to the last call; every call must succeed."""
    results = run(*calls, **world)["results"]
    assert [result for result in results if "fault" in result] == []
    return results[-1]["answer"]


@cache
def _host() -> str:
    return serving(HOST)


def _asked(address: str, sent: object) -> Any:
    return httpx.post(address, json=sent, timeout=PATIENCE_SECONDS).raise_for_status().json()
