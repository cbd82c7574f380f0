"""How far a training is: on the terminal or in the log, and in `progress.json`."""

import contextlib
import math
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from models.result import TIMED_OUT, Progress
from models.run_folder import RunFolder, write_atomically
from models.training.errors import TimedOut


class Silent:
    """Reports nothing: for the other processes of a training, which has one that reports."""

    due = False

    def update(self, **changes: float | str | None) -> None: ...

    def say(self, line: str) -> None: ...


class Reporter:
    """Writes `progress.json` about once a second, and either a progress bar or a line an epoch."""

    def __init__(self, folder: RunFolder, epochs: int, *, bar: bool, limit_seconds: float = math.inf) -> None:
        """`limit_seconds` from now on the training times out, by the monotonic clock."""
        self._until = time.monotonic() + limit_seconds
        self._progress = Progress(phase="reading data", epoch=0, epochs=epochs, fraction=0.0)
        self._file = folder.progress_file
        self._due = 0.0
        self._bar = (
            ProgressBar(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            if bar
            else None
        )

    def __enter__(self) -> Self:
        if self._bar:
            self._line = self._bar.add_task("reading data", total=1.0, figures="")
            self._bar.start()
        self.update()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    @property
    def due(self) -> bool:
        """Whether a second has passed since the last update."""
        return time.monotonic() >= self._due

    def update(self, **changes: float | str | None) -> None:
        """Writes what changed.

        Raises:
            TimedOut: the time limit is over; the file says so. Tests and pictures are still made.
        """
        if time.monotonic() > self._until and self._progress.phase in ("reading data", "training"):
            changes["phase"] = TIMED_OUT
        self._due = time.monotonic() + 1
        self._progress = self._progress.model_copy(update=changes)
        write_atomically(self._file, self._progress.model_dump_json())
        if self._bar:
            self._bar.update(
                self._line,
                completed=self._progress.fraction,
                description=self._phase(),
                figures=self._figures(),
            )
        if self._progress.phase == TIMED_OUT:
            raise TimedOut

    def say(self, line: str) -> None:
        """Writes a line to the log; a closed terminal or a full disk does not stop the training."""
        with contextlib.suppress(OSError):
            if self._bar:
                self._bar.console.print(line, highlight=False, markup=False)
            else:
                print(line, flush=True)  # noqa: T201

    def _phase(self) -> str:
        at = self._progress
        return f"epoch {at.epoch}/{at.epochs}" if at.phase == "training" else at.phase or ""

    def _figures(self) -> str:
        at = self._progress
        figures = [
            f"{at.clips_per_second:,.0f} clips/s" if at.clips_per_second else "",
            f"loss {at.loss:.3f}" if at.loss is not None else "",
            f"validation {at.validation_accuracy:.1%}" if at.validation_accuracy is not None else "",
        ]
        return " · ".join(filter(None, figures))
