"""The logs of jobs, wherever they run: their last lines, what is added, and all of it."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from backend.errors import NotFoundError
from backend.jobs.engines import Engine, LogPart, LostError
from backend.jobs.engines.log_file import part_of
from backend.jobs.job import Job
from backend.jobs.store import JobStore
from backend.settings import Home
from backend.text import visible
from models.run_folder import RunFolder, is_run_id

_TAIL_BYTES = 256 << 10
_PART_BYTES = 1 << 20
_LONGEST_LINE = 2000


class LogTail(BaseModel):
    """The end of a log."""

    lines: list[str]
    """Without what does not print: control characters are written as in `\\x1b`."""
    size_bytes: int
    """Of the whole log."""
    finished_bytes: int
    """Up to the end of the last line that is finished."""
    note: str = ""
    """Why this is not the newest or not all of it; empty: it is."""


class Logs:
    """Safe to use from several threads."""

    def __init__(self, home: Home, engines: Mapping[str, Engine], store: JobStore) -> None:
        self._home = home
        self._engines = engines
        self._store = store

    def tail(self, run: str, lines: int) -> LogTail:
        """The last lines of a job's log.

        Where its server does not answer they are those that were brought here before.

        Raises:
            NotFoundError: there is no such job or run.
        """
        note = ""
        try:
            part = self.part(run, -_TAIL_BYTES, _TAIL_BYTES)
        except LostError as lost:
            note = f"{lost.message} This is what was brought here before."
            part = part_of(RunFolder(self._home.runs / run), -_TAIL_BYTES, _TAIL_BYTES)
        shown = shown_lines(part.content)
        if part.start and len(shown) > 1:
            del shown[0]  # its beginning is missing
        finished = part.start + part.content.rfind(b"\n") + 1
        return LogTail(lines=shown[-lines:], size_bytes=part.size, finished_bytes=finished, note=note)

    def part(self, run: str, start: int, most_bytes: int = _PART_BYTES) -> LogPart:
        """At most so many bytes of the log from `start` on; where that is negative, it counts from the end.

        Raises:
            NotFoundError: there is no such job or run.
            LostError: its server does not answer.
        """
        folder = RunFolder(self._home.runs / run)
        try:
            job = self._store.job(run)
        except NotFoundError:
            if not is_run_id(run) or not folder.path.is_dir():
                raise
            return part_of(folder, start, most_bytes)
        engine = self._engines.get(job.server)
        return (
            engine.read_log(job, start, most_bytes)
            if engine and was_started(job)
            else part_of(folder, start, most_bytes)
        )

    def whole(self, run: str) -> Iterator[bytes]:
        """All of the log as it is now, in parts.

        Raises:
            NotFoundError: there is no such job or run.
            LostError: its server does not answer.
        """
        part = self.part(run, 0)
        size = part.size
        while part.content:
            yield part.content
            at = part.start + len(part.content)
            if at >= size:
                return
            part = self.part(run, at, min(_PART_BYTES, size - at))


def was_started(job: Job) -> bool:
    """Whether a log can be on the job's server."""
    return job.started_at is not None


def shown_lines(content: bytes) -> list[str]:
    """The lines of a log as text. Progress bars rewrite a line with carriage returns, of which the last counts."""
    lines = content.decode(errors="replace").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [_shown(line.rstrip("\r").rsplit("\r", 1)[-1]) for line in lines]


def _shown(line: str) -> str:
    cut = line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"
    return "\t".join(map(visible, cut.split("\t")))
