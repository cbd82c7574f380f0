"""How `python -m models` is started, and how a training gives way to other work. Needs no torch."""

import os
import sys
from contextlib import suppress
from pathlib import Path

_NICENESS = 10
_OOM_SCORE = 500


def command(*arguments: str, python: str = sys.executable) -> list[str]:
    """The command line of `python -m models`.

    With -P, Python does not look for `models` in the working directory, which may hold a stranger's.
    """
    return [python, "-P", "-m", "models", *arguments]


def lower_priority(pid: int) -> None:
    """Lets other processes go first, and be spared where memory runs out; raises nothing."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, pid)))
    score = Path(f"/proc/{pid}/oom_score_adj")
    with suppress(OSError):
        score.write_text(str(max(_OOM_SCORE, int(score.read_text()))))
