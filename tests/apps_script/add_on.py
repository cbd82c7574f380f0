"""The add-on's real server files, run by Node."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.patience import PATIENCE_SECONDS

HOST = Path(__file__).parent / "host.mjs"


class OpenSheet:
    """The sheet as one person has it open, the add-on in it; the sidebar is the page `address`/openSidebar."""

    def __init__(self, address: str) -> None:
        self.address = address

    def choose(self, name: str) -> None:
        """Runs a function of the menu."""
        answer = httpx.post(f"{self.address}/{name}", json=[], timeout=60)
        assert answer.json() == {"answer": None}

    def change(self, **world: Any) -> None:
        """From now on the world is like this; see host.mjs for what it can be."""
        self._ask(world)

    def seen(self) -> dict[str, Any]:
        """What the person has seen so far; see `seen` in host.mjs."""
        return self._ask({})

    def _ask(self, world: dict[str, Any]) -> dict[str, Any]:
        answer = httpx.post(f"{self.address}/world", json=world, timeout=60).raise_for_status()
        seen: dict[str, Any] = answer.json()
        return seen


@contextmanager
def opened(**world: Any) -> Iterator[OpenSheet]:
    """Serves the sidebar, and what it calls, while the block lasts."""
    with _host(stdin=subprocess.PIPE, serves=True, **world) as process:
        assert process.stdout
        yield OpenSheet(f"http://127.0.0.1:{int(process.stdout.readline())}")


def start(*calls: list[Any], **world: Any) -> subprocess.Popen[str]:
    """Makes the calls, each `[name, *arguments]`, in one world; see host.mjs for what a world can be."""
    return _host(stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, calls=calls, **world)


def _host(*, stdin: int, stderr: int | None = None, **world: Any) -> subprocess.Popen[str]:
    node = shutil.which("node")
    if node is None:
        pytest.fail("needs Node 20 or newer: sudo apt-get install nodejs")
    command = [node, str(HOST), json.dumps(world)]
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, text=True)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What came of it: `results`, what the person saw, `properties`, `functions`; see `seen` in host.mjs."""
    output, error = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, error
    seen: dict[str, Any] = json.loads(output)
    return seen


def run(*calls: list[Any], **world: Any) -> dict[str, Any]:
    return finish(start(*calls, **world))


def answer(*calls: list[Any], **world: Any) -> Any:
    """The answer to the last call; every call must succeed."""
    results = run(*calls, **world)["results"]
    assert [result for result in results if "fault" in result] == []
    return results[-1]["answer"]
