"""`python -m models` as a process: the backend itself never imports torch."""

import signal
import subprocess

from backend.errors import InvalidError, UnavailableError
from models.process import command

_FAULT = "error: "
"""Begins the sentence with which the models refuse a wrong input."""
_INTERRUPTS = 3
"""After so many the process is killed: one that hangs answers none."""


def ask(*arguments: str, timeout_seconds: float = 600) -> str:
    """What the models print.

    Raises:
        InvalidError: the models refuse it; in their own words.
        UnavailableError: they cannot be asked, usually because torch is not installed, or take too long.
    """
    try:
        answer = subprocess.run(
            command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout_seconds,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(
            f"`python -m models {arguments[0]}` gave no answer within {timeout_seconds:g} s.",
            "Try again when the machine is less busy.",
        ) from None
    if answer.returncode:
        raise refusal(answer.stderr, *arguments)
    return answer.stdout


def refusal(stderr: str, *arguments: str) -> InvalidError | UnavailableError:
    """The error that the models' last words on `stderr` mean."""
    last = (stderr.strip().splitlines() or ["no reason given"])[-1]
    if last.startswith(_FAULT):
        return InvalidError(f"{last.removeprefix(_FAULT)}.")
    return UnavailableError(
        f"`python -m models {arguments[0]}` failed: {last}.",
        "Install what training needs: `pip install 'sheetrack[train]'`.",
    )


def run(*arguments: str) -> int:
    """Runs the models in the foreground until they end; returns their exit code, 128 + N after signal N.

    Ctrl-C reaches both processes. The models end in their own way, and this one waits for it.
    """
    with subprocess.Popen(command(*arguments)) as process:
        interrupts = 0
        while True:
            try:
                code = process.wait()
            except KeyboardInterrupt:
                interrupts += 1
                # A signal may also have come to this process alone.
                process.send_signal(signal.SIGINT if interrupts < _INTERRUPTS else signal.SIGKILL)
            else:
                return code if code >= 0 else 128 - code
