"""Asks `python -m models`: the backend itself never imports torch."""

import subprocess
import sys

from backend.errors import InvalidError, UnavailableError

_FAULT = "error: "
"""Begins the sentence with which the models refuse what makes no sense."""


def ask(*arguments: str) -> str:
    """What the models print.

    Raises:
        InvalidError: the models refuse it; in their own words.
        UnavailableError: they cannot be asked, usually because torch is not installed.
    """
    answer = subprocess.run(
        [sys.executable, "-m", "models", *arguments], capture_output=True, text=True, check=False
    )
    if not answer.returncode:
        return answer.stdout
    last = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
    if last.startswith(_FAULT):
        raise InvalidError(f"{last.removeprefix(_FAULT)}.")
    raise UnavailableError(
        f"What trains here cannot be asked: {last}.",
        "Install what training needs: `pip install 'sheetrack[train]'`.",
    )
