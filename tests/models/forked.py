"""`python -m models` as a process that has imported everything: a fork of one that did so once for all tests.

Torch takes each new interpreter seconds to import, longer than a training of tones. Other tests start the command
itself.
"""

import atexit
import multiprocessing
import os
import subprocess
import sys
import tempfile
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from threading import Lock
from typing import Self

from models.process import command
from tests.patience import PATIENCE_SECONDS

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "models.__main__",
        "models.architectures.cost",
        "models.data.torchaudio_on_cpu",
        "models.explain.run",
        "models.figures.comparison",
        "models.training.trace_clip",
        "models.training.train",
    ]
)


class Forked:
    """Like a `Popen` that captures what is printed."""

    def __init__(self, *arguments: str | Path) -> None:
        self._words = ["python -m models", *map(str, arguments)]
        self._printed = tempfile.TemporaryDirectory(prefix="sheetrack-")
        files = (self._file("out"), self._file("errors"))
        started = (self._words, dict(os.environ), Path.cwd(), *files)
        self._process: ForkServerProcess = _CONTEXT.Process(target=_run, args=started)
        self._process.start()

    def _file(self, name: str) -> str:
        file = Path(self._printed.name) / name
        file.touch()
        return str(file)

    def is_running(self) -> bool:
        return self._process.is_alive()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def ended(self) -> "subprocess.CompletedProcess[str]":
        """Waits for its end."""
        self._process.join(PATIENCE_SECONDS)
        code = self._process.exitcode
        assert code is not None, "it does not end"
        out, errors = (Path(self._printed.name, name).read_text() for name in ("out", "errors"))
        self._process.close()
        self._printed.cleanup()
        return subprocess.CompletedProcess(self._words, code, out, errors)


class Forking:
    """What `models_cli` uses of `subprocess`, with `Forked` in place of new interpreters."""

    DEVNULL = subprocess.DEVNULL
    TimeoutExpired = subprocess.TimeoutExpired

    _one_at_a_time = Lock()
    """`multiprocessing` looks for the ends of all its processes at each start, also of those of other threads."""

    @classmethod
    def run(cls, words: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        with cls._one_at_a_time:
            return Forked(*words[len(command()) :]).ended()

    class Popen:
        """Runs in the foreground, and prints what a `Forked` printed where this process prints."""

        def __init__(self, words: list[str]) -> None:
            self._process = Forked(*words[len(command()) :])

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def wait(self) -> int:
            ended = self._process.ended()
            sys.stdout.write(ended.stdout)
            sys.stderr.write(ended.stderr)
            return ended.returncode


def _run(words: list[str], environment: dict[str, str], folder: Path, out: str, errors: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = words
    for file, stream in ((out, sys.stdout), (errors, sys.stderr)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND), stream.fileno())
    from models.__main__ import run

    try:
        run()
    finally:
        atexit._run_exitfuncs()
