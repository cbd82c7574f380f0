"""Files that Node runs."""

import atexit
import shutil
import subprocess
from pathlib import Path

import pytest


def command(file: Path, *arguments: str) -> list[str]:
    node = shutil.which("node")
    if node is None:
        pytest.fail("needs Node 20 or newer: sudo apt-get install nodejs")
    return [node, str(file), *arguments]


def serving(file: Path) -> str:
    """Has a file serve until this process ends; returns its address."""
    process = subprocess.Popen(command(file), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    address = f"http://127.0.0.1:{int(process.stdout.readline())}"
    atexit.register(process.communicate)  # which ends its input, and waits
    return address
