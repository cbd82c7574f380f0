"""The facts of a data folder, read in a process: minutes for a new folder, seconds for a known one."""

import re
import subprocess
import tempfile
import threading

from pydantic import ValidationError

from backend.errors import SheetrackError, UnavailableError
from backend.jobs.models_cli import refusal
from models.process import command, lower_priority
from models.recipe import Recipe
from models.result import DataFacts

_PROGRESS = re.compile(r"(\d+) of (\d+) clips")


class DataReading:
    """Starts at once, in its own thread."""

    def __init__(self, folder: str, recipe: Recipe) -> None:
        """Reads `folder` as `recipe` hears it."""
        self.what = (folder, recipe.seconds, recipe.sample_rate)
        self.progress = "reading the data"
        """How far it is, in words."""
        self._facts: DataFacts | None = None
        self._error: SheetrackError | None = None
        self._process: subprocess.Popen[str] | None = None
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="data", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Waits for the end, for at most `seconds`; returns whether it has come."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def facts(self) -> DataFacts:
        """The facts, once the reading has ended.

        Raises:
            InvalidError: the folder cannot be trained on.
            UnavailableError: it cannot be read, or reading was stopped.
        """
        self._thread.join()
        if self._facts is None:
            raise self._error or UnavailableError("Reading the data was stopped.")
        return self._facts

    def stop(self) -> None:
        """Ends the process. Returns at once."""
        self._is_stopped = True
        if self._process:
            self._process.kill()

    def _run(self) -> None:
        try:
            self._facts = self._read()
        except SheetrackError as error:
            self._error = error
        except (OSError, ValidationError) as error:
            self._error = UnavailableError(f"The data in {self.what[0]} cannot be read: {error}.")

    def _read(self) -> DataFacts:
        folder, seconds, sample_rate = self.what
        form = (f"--seconds={seconds}", f"--sample-rate={sample_rate}")
        arguments = ("data", "describe", folder, "--json", "--progress", *form)
        # Not a pipe: it is read only after the process has ended, and a full pipe would block it.
        with tempfile.TemporaryFile("w+") as output:
            with subprocess.Popen(
                command(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            ) as process:
                self._process = process
                lower_priority(process.pid)
                if self._is_stopped:
                    process.kill()
                lines = [line for line in process.stderr or () if not self._is_progress(line)]
            if process.returncode:
                raise refusal("".join(lines), *arguments)
            output.seek(0)
            return DataFacts.model_validate_json(output.read())

    def _is_progress(self, line: str) -> bool:
        match = _PROGRESS.fullmatch(line.strip())
        if match:
            done, clips = map(int, match.groups())
            self.progress = f"reading the data, {done:,} of {clips:,} clips"
        return match is not None
