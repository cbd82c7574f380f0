"""A person at a terminal: reads what a command shows, and types when it asks."""

import codecs
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from tests.patience import PATIENCE_SECONDS

_RUN = (
    "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"  # so that Ctrl-C reaches it
    "from backend.cli import main; main()"
)


class Terminal:
    """Runs `sheetrack` with `words` on its own terminal while the block lasts."""

    def __init__(self, home: Path, *words: str, first: str = "") -> None:
        """`first` is Python that the process runs before the command."""
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"{first}\n{_RUN}", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "SHEETRACK_HOME": str(home), "TERM": "dumb", "COLUMNS": "400"},
        )
        os.close(theirs)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.shown = ""
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if kind else signal.SIGTERM)
        self.end()
        os.close(self._ours)

    def type(self, after: str, keys: str) -> None:
        """Types `keys` once `after` is shown."""
        self.see(after)
        os.write(self._ours, keys.encode())

    def answer(self, question: str, line: str = "") -> None:
        self.type(question, f"{line}\n")

    def interrupt(self, after: str) -> int:
        """Presses Ctrl-C once `after` is shown; returns the exit code.

        Presses it again until the command says that it stops, as a person does: Python's `input` misses an
        interrupt that comes after it has looked for one and before it waits for keys.
        """
        self.see(after)
        until = time.monotonic() + PATIENCE_SECONDS
        while "Stopped." not in self.shown and time.monotonic() < until:
            os.write(self._ours, b"\x03")
            pressed = time.monotonic()
            while "Stopped." not in self.shown and time.monotonic() < pressed + 5:
                self._more(1)
        return self.end()

    def see(self, text: str) -> str:
        """Waits until `text` is shown, after what was waited for last; returns all up to there."""
        until = time.monotonic() + PATIENCE_SECONDS
        while text not in self.shown[self._read :]:
            assert time.monotonic() < until, f"{text!r} is not shown:\n{self.shown}"
            assert self._more(1) or self.process.poll() is None or self._more(0), self.shown
        self._read = self.shown.index(text, self._read) + len(text)
        return self.shown

    def end(self) -> int:
        """Waits for the command's end; returns its exit code."""
        until = time.monotonic() + PATIENCE_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < until, self.shown
            self._more(0.1)
        while self._more(0):
            pass
        return self.process.wait()

    def _more(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        try:
            content = os.read(self._ours, 65_536)
        except OSError:  # the other side is closed
            return False
        self.shown += self._decoder.decode(content).replace("\r", "")
        return bool(content)
