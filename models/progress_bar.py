"""The progress of a command: a bar in a terminal, a line now and then elsewhere."""

import time

import click
from rich.console import Console
from rich.progress import Progress

_BETWEEN_SECONDS = 8


class ProgressLines:
    """Tells the progress where no terminal shows a bar: a line at most every 8 s."""

    def __init__(self) -> None:
        self._due = time.monotonic() + _BETWEEN_SECONDS
        self._is_needed = not Console(stderr=True).is_terminal

    def tell(self, line: str) -> None:
        if self._is_needed and time.monotonic() >= self._due:
            self._due = time.monotonic() + _BETWEEN_SECONDS
            click.echo(line, err=True)


def progress_bar() -> Progress:
    """A bar on stderr, which stays empty where that is no terminal."""
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)
