"""What runs on a server that is read over SSH: a line on its standard input asks, a line of JSON answers."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from backend.probe import background
from backend.probe.host import SHORTEST_SPAN_SECONDS
from backend.probe.machine import Machine

GREETING = "sheetrack probe"
"""The first line; what comes before it is the login's own text."""
_UNASKED_SECONDS = 3600 + 60
"""A connection that was cut may never end on this side. A backend reads at least once an hour."""


def main(patience_seconds: float) -> None:
    """Answers until its standard input ends, or no question has come for too long."""
    background.PATIENCE_SECONDS = patience_seconds
    machine = Machine(Path.home())
    asked = _Asked()
    threading.Thread(target=asked.watch, daemon=True).start()
    _say(GREETING)
    time.sleep(SHORTEST_SPAN_SECONDS + 0.01)  # before that the CPU's use is not known, and it would look idle
    while sys.stdin.buffer.readline():
        asked.at = time.monotonic()
        _say(json.dumps(machine.read()))
    machine.close()
    # A thread that hangs would keep the process from ending.
    os._exit(0)


class _Asked:
    """When the last question came."""

    def __init__(self) -> None:
        self.at = time.monotonic()

    def watch(self) -> None:
        while time.monotonic() - self.at < _UNASKED_SECONDS:
            time.sleep(60)
        os._exit(0)


def _say(line: str) -> None:
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except OSError:
        os._exit(0)  # the reader is gone
