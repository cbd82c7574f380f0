"""Commands of Sheetrack that run as jobs."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from models.command import Command


def own_command(words: Sequence[str], *, is_here: bool) -> Command:
    """`sheetrack WORDS` as a program; its name is the command, what it is done to included."""
    program = [sys.executable, "-P", "-m", "backend.cli"] if is_here else ["sheetrack"]
    return Command(
        name=" ".join(words[:3]),
        command=shlex.join([*program, *words]),
        folder=str(Path.cwd()) if is_here else "~",
    )
