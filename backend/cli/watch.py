"""What `sheetrack up` does in its terminal: it waits for the end, for new settings, and for add-ons to let in."""

import os
import select
import socket
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from backend.api.pairing import AddOn
from backend.cli.ask import is_person
from backend.cli.show import say
from backend.errors import SheetrackError
from backend.service.wiring import Sheetrack

_LOOK_SECONDS = 1.0


def watch(sheetrack: Sheetrack, stop_signal: socket.socket) -> Sheetrack | None:
    """Waits until the backend is to end, and returns None, or until settings.toml changed: the parts made of it.

    Settings that cannot be understood change nothing; what is wrong is told here and on the page.
    """
    file = sheetrack.home.settings_file
    known = sheetrack.settings_text
    asked: set[str] = set()
    while True:
        if _is_stopped(stop_signal, _LOOK_SECONDS):
            return None
        for add_on in sheetrack.pairing.waiting():
            if add_on.client_id not in asked:
                asked.add(add_on.client_id)
                if not _ask(sheetrack, add_on, stop_signal):
                    return None
        content = sheetrack.home.settings_text()
        if content == known:
            continue
        known = content
        try:
            return Sheetrack(sheetrack.home)
        except SheetrackError as error:
            sheetrack.settings_error = str(error)
            say(f"{file} changed and is not used: {error}", err=True)


def _is_stopped(stop_signal: socket.socket, seconds: float) -> bool:
    return bool(select.select([stop_signal], [], [], seconds)[0])


def _ask(sheetrack: Sheetrack, add_on: AddOn, stop_signal: socket.socket) -> bool:
    """Tells of an add-on that asks; with a person at the terminal, one key answers. Whether the backend goes on."""
    say(f"{add_on.person} asks to use the add-on in the spreadsheet, client ID {add_on.client_id}.")
    if not is_person():
        say("Let it in on the page.")
        return True
    with _single_keys():
        say("Let it in? y or n (the page can do it too)")
        while True:
            ready, _, _ = select.select([stop_signal, sys.stdin], [], [], _LOOK_SECONDS)
            if stop_signal in ready:
                return False
            if add_on not in sheetrack.pairing.waiting():
                return True  # the page was quicker
            # Not sys.stdin.read, which takes more keys than it returns, where select does not see them.
            key = os.read(sys.stdin.fileno(), 1).decode("ascii", "replace").casefold() if ready else ""
            if key == "n":
                sheetrack.pairing.forget(add_on.client_id)
                return True
            if key == "y":
                break
    try:
        sheetrack.pairing.accept(add_on.client_id)
        say(f"✓ {add_on.person} is let in.")
    except SheetrackError as error:
        say(f"✕ {error}", err=True)
    return True


@contextmanager
def _single_keys() -> Iterator[None]:
    """Keys come at once, without Enter, and reading waits for none: Ctrl-C throws away those before it."""
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    mode = termios.tcgetattr(sys.stdin)
    mode[6][termios.VMIN] = 0
    termios.tcsetattr(sys.stdin, termios.TCSANOW, mode)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
