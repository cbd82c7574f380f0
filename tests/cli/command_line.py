"""The command line as people type it: in a new process, or, much faster, in this one."""

import gc
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any
from unittest.mock import patch

from backend.cli import main
from backend.jobs import models_cli
from tests.models.forked import Forking

Ended = subprocess.CompletedProcess[str]
"""The exit code, and what was printed."""


def run(*words: str, **environment: str) -> Ended:
    """Runs `sheetrack` with `words` as a process."""
    return subprocess.run(
        [sys.executable, "-m", "backend.cli", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def run_here(*words: str, **environment: str) -> Ended:
    """As `run`, but without the seconds that new interpreters take to import everything.

    The models that the command starts are a fork.
    """
    out, errors = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["sheetrack", *words]),
        patch.object(models_cli, "subprocess", Forking),
        patch.dict(os.environ, environment),
        redirect_stdout(out),
        redirect_stderr(errors),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        finally:
            gc.unfreeze()  # garbage of other tests is among what a command keeps until its process ends
    return Ended(["sheetrack", *words], code, out.getvalue(), errors.getvalue())


def data(answer: Ended) -> Any:
    """What was printed with --json."""
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def complaint(answer: Ended, code: int) -> str:
    """What was said with that exit code."""
    assert answer.returncode == code, answer.stderr
    assert "Traceback" not in answer.stderr
    return answer.stderr
