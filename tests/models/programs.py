"""Programs of a lab's own, run as an engine runs them."""

import os
import subprocess
import sys
from pathlib import Path

from models.command import Command
from models.process import command as models_command
from models.run_folder import RunFolder

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
    """A new run whose program has ended."""
    folder, process = start(command, runs, prefix)
    process.wait()
    return folder


def written(runs: Path, **files: str) -> RunFolder:
    """A run whose program ended well and left `files`, by the beginning of their names."""
    folder = ended(Command(command=f"{sys.executable} -c pass", folder="/"), runs)
    for name, content in files.items():
        (folder.path / {"result": "result.json", "history": "history.jsonl"}[name]).write_text(content)
    return folder
