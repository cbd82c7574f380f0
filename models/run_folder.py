"""The run folder: the contract between the training, the backend and the agents."""

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from models import run_lock
from models.command import Command
from models.recipe import Recipe
from models.run_lock import RunLock

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_run_id(name: str) -> bool:
    """Whether a run can have this name: letters, digits, `-` and `_`, so that it is a name everywhere."""
    return _ID.fullmatch(name) is not None


class ForeignRunError(RuntimeError):
    """The run folder belongs to another run of the same name."""


class RunFolder:
    """The files of a run. `models/run_reader.py` and `models/program_reader.py` read them.

    A training is finished when `result.json` exists: it is written last and atomically. A program of the
    lab's own is over when `exit.json` exists. A run is in progress while a process holds a lock on `lock`;
    the kernel releases it however that process ends.
    """

    ARCHITECTURE = "architecture.py"
    """The file of the lab's own network that is trained."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe_file = path / "recipe.json"
        self.command_file = path / "command.json"
        self.architecture_file = path / self.ARCHITECTURE
        self.environment_file = path / "environment.json"
        self.history_file = path / "history.jsonl"
        self.progress_file = path / "progress.json"
        self.checkpoint_file = path / "checkpoint.pt"
        self.start_file = path / "start.pt"
        self.snapshots = path / "snapshots"
        self.checkpoint_mark = path / "checkpoint.elsewhere"
        self.explanations = path / "explain"
        self.predictions_file = path / "predictions.csv"
        self.analysis_file = path / "analysis.npz"
        self.filters_file = path / "filters.json"
        self.log_file = path / "train.log"
        self.result_file = path / "result.json"
        self.evaluations_file = path / "evaluations.json"
        self.exit_file = path / "exit.json"
        self.lock_file = path / "lock"
        self.cancel_file = path / "cancel"
        self.figures = path / "figures"
        self.brain = path / "brain"

    @classmethod
    def create(cls, runs: Path, work: Recipe | Command | None, source: bytes = b"") -> "RunFolder":
        """Makes a folder with a new name below `runs`, with the recipe or the command in it.

        `source` is the file of a lab's own network.

        Raises:
            OSError: nothing can be written there.
        """
        try:
            runs.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            sentence = f"{runs} is no folder, or a link to one that is not there; mount its disk, or make it"
            raise NotADirectoryError(errno.ENOTDIR, sentence) from None
        while True:
            # Starts with a letter: no spreadsheet takes such a name for a number.
            folder = cls(runs / f"r{secrets.token_hex(3)}")
            try:
                folder.path.mkdir()
            except FileExistsError:
                continue
            try:
                if source:
                    write_atomically(folder.architecture_file, source)
                if work:
                    write_atomically(folder.work_file(work), work.model_dump_json(indent=2))
            except OSError:  # such as a full disk: nothing is left behind
                folder.remove_new()
                raise
            return folder

    @classmethod
    def receive(cls, runs: Path, run: str, work: Recipe | Command, source: bytes = b"") -> "RunFolder":
        """The folder of a run that another machine named; the same name and content give the same folder.

        `source` is the file of a lab's own network.

        Raises:
            ForeignRunError: a run of that name with another recipe or command is here.
        """
        folder = cls(runs / run)
        folder.path.mkdir(parents=True, exist_ok=True)
        file = folder.work_file(work)
        if source and not folder.architecture_file.exists():
            write_atomically(folder.architecture_file, source)
        if not (folder.recipe_file.exists() or folder.command_file.exists()):
            write_atomically(file, work.model_dump_json(indent=2))
        try:
            is_ours = file.exists() and type(work).model_validate_json(file.read_bytes()) == work
        except ValueError:
            is_ours = False
        if not is_ours:
            raise ForeignRunError(f"another run {run} is on this server already; launch it again")
        return folder

    def work_file(self, work: Recipe | Command) -> Path:
        """Where the recipe or the command stands."""
        return self.recipe_file if isinstance(work, Recipe) else self.command_file

    def remove_new(self) -> None:
        """Removes the folder of a run that never began."""
        for file in (self.recipe_file, self.command_file, self.architecture_file):
            file.unlink(missing_ok=True)
        self.path.rmdir()

    @property
    def id(self) -> str:
        return self.path.name

    def drawn(self) -> list[Path]:
        """The pictures in the order in which they were drawn, in which they are also shown."""
        # An older release kept the pictures of comparisons here too; those of mappings are in a tab of their own.
        others = ("compare_", "brain_")
        files = (file for file in self.figures.glob("*.png") if not file.name.startswith(others))
        return sorted(files, key=_written_ns)

    def changed(self) -> dict[str, tuple[int, int]]:
        """When each file was last changed (ns since 1970) and its size; without those that cannot be looked at."""
        changed: dict[str, tuple[int, int]] = {}
        others = (*self.brain.glob("*.json"), *self.explanations.glob("*.json"))
        for file in (*self.path.glob("*"), *others, *self.drawn()):
            with suppress(OSError):
                facts = file.stat()
                changed[str(file.relative_to(self.path))] = (facts.st_mtime_ns, facts.st_size)
        return changed

    def log_tail(self, lines: int = 20) -> str:
        """The end of the log, empty where it cannot be read.

        Progress bars rewrite a line with carriage returns, of which the last counts.
        """
        try:
            with open_regular(self.log_file) as log:
                log.seek(max(0, self.log_file.stat().st_size - 100_000))
                text = log.read().decode(errors="replace")
        except (OSError, ValueError):
            return ""
        return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.splitlines()[-lines:])

    @contextmanager
    def lock(self) -> Iterator[int]:
        """Holds the run for this process, or takes over the lock that it was started with.

        Yields the locked descriptor. A child that inherits it holds the run too, until it has ended.

        Raises:
            AlreadyTrainingError: another process holds it.
        """
        lock = RunLock(self.lock_file)
        try:
            lock.note(os.getpid())
            yield lock.descriptor
            lock.clear()
        except OSError as error:
            if error.errno == errno.ENOSPC:
                lock.note_full_disk()
            raise
        finally:
            lock.close()

    def is_locked(self) -> bool:
        """Whether a process on any machine holds the run."""
        return run_lock.is_locked(self.lock_file)

    def trainer_pid(self) -> int | None:
        """The process that trains this run now, where it is known; it may be one of another machine."""
        holder = run_lock.holder(self.lock_file)
        return holder.pid if holder else None


def open_regular(file: Path) -> BinaryIO:
    """Opens a file for reading, and waits for nothing.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is a folder, a pipe or a device.
    """
    # Without O_NONBLOCK, opening a pipe waits for a writer.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise ValueError("it is a folder" if stat.S_ISDIR(kind) else "it is no regular file")


def _written_ns(file: Path) -> int:
    try:
        return file.lstat().st_mtime_ns
    except OSError:
        return 0


def write_atomically(file: Path, content: str | bytes) -> None:
    """Writes all of `content` or nothing: a reader, or a power cut, never sees half a file."""
    data = content.encode() if isinstance(content, str) else content
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with draft.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
