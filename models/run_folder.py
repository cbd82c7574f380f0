"""The Run folder: the contract between whoever launches a training and whoever follows it."""

import csv
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from models.recipe import Recipe

Answer = TypeVar("Answer")


class AlreadyTrainingError(RuntimeError):
    """Another process holds the lock of this run."""


class ForeignRunError(RuntimeError):
    """A run folder belongs to somebody else's run of the same name."""


class RunFolder:
    """Every file name of a run, in one place.

    A run is finished when `result.json` exists: it is written last and atomically. A run is being
    trained while a process holds a lock on `lock`; the kernel releases it however that process ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe_file = path / "recipe.json"
        self.environment_file = path / "environment.json"
        self.history_file = path / "history.jsonl"
        self.progress_file = path / "progress.json"
        self.checkpoint_file = path / "checkpoint.pt"
        self.predictions_file = path / "predictions.csv"
        self.analysis_file = path / "analysis.npz"
        self.filters_file = path / "filters.json"
        self.log_file = path / "train.log"
        self.result_file = path / "result.json"
        self.lock_file = path / "lock"
        self.figures = path / "figures"

    @classmethod
    def create(cls, runs: Path, recipe: Recipe) -> "RunFolder":
        """Makes a new folder with a name of its own below `runs`, holding `recipe`."""
        runs.mkdir(parents=True, exist_ok=True)
        while True:
            # Starts with a letter: no spreadsheet takes such a name for a number.
            folder = cls(runs / f"r{secrets.token_hex(3)}")
            try:
                folder.path.mkdir()
            except FileExistsError:
                continue
            write_atomically(folder.recipe_file, recipe.model_dump_json(indent=2))
            return folder

    @classmethod
    def receive(cls, runs: Path, run: str, recipe: Recipe) -> "RunFolder":
        """The folder of a run that another machine asks for; asked for again, it is the same one.

        Raises:
            ForeignRunError: a run of that name with another recipe is here.
        """
        folder = cls(runs / run)
        folder.path.mkdir(parents=True, exist_ok=True)
        if not folder.recipe_file.exists():
            write_atomically(folder.recipe_file, recipe.model_dump_json(indent=2))
        if folder.recipe() != recipe:
            raise ForeignRunError(f"another run {run} is on this server already; launch it again")
        return folder

    @property
    def id(self) -> str:
        return self.path.name

    def recipe(self) -> Recipe:
        return Recipe.model_validate_json(self.recipe_file.read_bytes())

    def result(self) -> dict[str, Any] | None:
        """The content of `result.json`, or None while the run is not finished."""
        return _read_json(self.result_file)

    def environment(self) -> dict[str, Any] | None:
        return _read_json(self.environment_file)

    def progress(self) -> dict[str, Any] | None:
        """Where the training stands now: `epoch`, `epochs`, `fraction` of all, `loss`, `seconds_left`."""
        return _read_json(self.progress_file)

    def history(self) -> list[dict[str, Any]]:
        """One entry an epoch. A last line that was cut off in the middle does not count."""
        try:
            lines = self.history_file.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines[:-1]]

    def predictions(self) -> list[dict[str, str]]:
        """One entry a test clip: `clip`, `frames`, `actual`, `heard`, `probability`; empty while not tested."""
        try:
            with self.predictions_file.open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))
        except FileNotFoundError:
            return []

    def filters(self) -> list[dict[str, Any]]:
        """The first layer's filters, written with the pictures: `channel`, `centre_hz`, `weights`."""
        try:
            filters: list[dict[str, Any]] = json.loads(self.filters_file.read_bytes())
        except FileNotFoundError:
            return []
        return filters

    def drawn(self) -> list[Path]:
        """The pictures, in the order in which they were drawn, which is that in which they are shown."""
        # An older release kept the pictures of comparisons here too.
        files = (file for file in self.figures.glob("*.png") if not file.name.startswith("compare_"))
        return sorted(files, key=lambda file: file.stat().st_mtime_ns)

    def log_tail(self, lines: int = 20) -> str:
        """The end of the log; progress bars rewrite a line with carriage returns, of which the last counts."""
        try:
            with self.log_file.open("rb") as log:
                log.seek(max(0, self.log_file.stat().st_size - 100_000))
                text = log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.splitlines()[-lines:])

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the run for this process, whose PID stands in the lock file meanwhile.

        Raises:
            AlreadyTrainingError: another process holds it.
        """
        descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _retried(lambda: _take(descriptor, fcntl.LOCK_EX)):
                raise AlreadyTrainingError(f"run {self.id} is already being trained")
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def trainer_pid(self) -> int | None:
        """The process that trains this run now, or None."""
        try:
            descriptor = os.open(self.lock_file, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            if _take(descriptor, fcntl.LOCK_SH):
                return None
            return int(_retried(lambda: os.pread(descriptor, 20, 0)) or 0) or None
        finally:
            os.close(descriptor)


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _retried(attempt: Callable[[], Answer]) -> Answer:
    """Tries for half a second: whoever asks for the trainer's PID holds the lock for a moment too."""
    for _ in range(49):
        if answer := attempt():
            return answer
        time.sleep(0.01)
    return attempt()


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


def _read_json(file: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    return content
