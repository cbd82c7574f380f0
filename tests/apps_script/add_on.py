"""The add-on's real server files, run by Node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HOST = Path(__file__).parent / "host.mjs"


def start(*calls: list[Any], **world: Any) -> subprocess.Popen[str]:
    """Makes the calls, each `[name, *arguments]`, in one world; see host.mjs for what a world can be."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("needs Node 20 or newer: sudo apt-get install nodejs")
    process = subprocess.Popen(
        [node, str(HOST)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdin
    process.stdin.write(json.dumps({"calls": calls, **world}))
    process.stdin.close()
    process.stdin = None
    return process


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What came of it: `results`, what the person saw, `properties`, `functions`; see `seen` in host.mjs."""
    output, trouble = process.communicate(timeout=60)
    assert process.returncode == 0, trouble
    seen: dict[str, Any] = json.loads(output)
    return seen


def run(*calls: list[Any], **world: Any) -> dict[str, Any]:
    return finish(start(*calls, **world))


def answer(*calls: list[Any], **world: Any) -> Any:
    """The answer to the last call; every call must succeed."""
    results = run(*calls, **world)["results"]
    assert [result for result in results if "fault" in result] == []
    return results[-1]["answer"]
