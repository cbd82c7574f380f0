"""Where a training stands, told to people and to whoever reads `progress.json`."""

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from models.run_folder import RunFolder, write_atomically


@dataclass
class Standing:
    """The content of `progress.json`; None is not known yet."""

    phase: str = "reading data"
    epoch: int = 0
    epochs: int = 0
    fraction: float = 0.0
    loss: float | None = None
    validation_accuracy: float | None = None
    clips_per_second: float | None = None
    seconds_left: float | None = None


class Reporter:
    """Writes `progress.json` about once a second, and either a progress bar or a line an epoch."""

    def __init__(self, folder: RunFolder, epochs: int, *, bar: bool) -> None:
        self.standing = Standing(epochs=epochs)
        self._file = folder.progress_file
        self._due = 0.0
        self._bar = (
            Progress(
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
        """Whether it is time to say something again."""
        return time.monotonic() >= self._due

    def update(self, **changes: float | str | None) -> None:
        self._due = time.monotonic() + 1
        for name, value in changes.items():
            setattr(self.standing, name, value)
        write_atomically(self._file, json.dumps(asdict(self.standing)))
        if self._bar:
            self._bar.update(
                self._line,
                completed=self.standing.fraction,
                description=self._phase(),
                figures=self._figures(),
            )

    def say(self, line: str) -> None:
        """A line for the log. Nobody needs to be there to read it: the training goes on without."""
        with contextlib.suppress(OSError):
            if self._bar:
                self._bar.console.print(line, highlight=False, markup=False)
            else:
                print(line, flush=True)  # noqa: T201

    def _phase(self) -> str:
        at = self.standing
        return f"epoch {at.epoch}/{at.epochs}" if at.phase == "training" else at.phase

    def _figures(self) -> str:
        at = self.standing
        figures = [
            f"{at.clips_per_second:,.0f} clips/s" if at.clips_per_second else "",
            f"loss {at.loss:.3f}" if at.loss is not None else "",
            f"validation {at.validation_accuracy:.1%}" if at.validation_accuracy is not None else "",
        ]
        return " · ".join(filter(None, figures))
