"""Programs of a lab's own, run as an engine runs them."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from models.command import Command
from models.process import command as models_command
from models.result import Exit
from models.run_folder import RunFolder
from tests.models.forked import Forked

RESULT = '{"accuracy": 0.9, "f1": 0.85, "words": ["yes", "no"], "confusion_matrix": [[9, 1], [1, 9]]}'
"""What a program may write into `result.json`."""


def shell(text: str, folder: Path) -> Command:
    """A command that a shell runs in `folder`."""
    return Command(command=text, folder=str(folder), shell=True)


def start(command: Command, runs: Path, prefix: str = "") -> tuple[RunFolder, subprocess.Popen[bytes]]:
    """A new run, and the process that runs its program; its output is in the log."""
    folder = RunFolder.create(runs, command)
    words = models_command("run", f"--prefix={prefix}", str(folder.path))
    with folder.log_file.open("wb") as log:
        return folder, subprocess.Popen(words, stdout=log, stderr=log, env=dict(os.environ))


def ended(command: Command, runs: Path, prefix: str = "") -> RunFolder:
    """A new run whose program has ended; `python -m models` was a fork."""
    folder = RunFolder.create(runs, command)
    printed = Forked("run", f"--prefix={prefix}", folder.path).ended()
    folder.log_file.write_text(printed.stdout + printed.stderr)
    return folder


def written(runs: Path, **files: str) -> RunFolder:
    """A run whose program ended well and left `files`, by the beginning of their names."""
    folder = RunFolder.create(runs, Command(command="true", folder="/"))
    folder.exit_file.write_text(Exit(status=0, ended_at=datetime.now(UTC)).model_dump_json())
    for name, content in files.items():
        (folder.path / {"result": "result.json", "history": "history.jsonl"}[name]).write_text(content)
    return folder
