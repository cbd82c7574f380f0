"""The files of a run on another server, copied into its run folder here through the agent of that server.

The agent's answers are not trusted: only the names of a run's own files are written, below its folder, with
limits on their number and size.
"""

import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from pydantic import ValidationError

from backend.errors import full_disk, is_full_disk
from backend.jobs.engines import LostError
from backend.jobs.engines.http_client import Remote
from backend.jobs.job import Job
from backend.jobs.run_files import RunFile, RunFiles
from models.run_folder import RunFolder, write_atomically

log = logging.getLogger(__name__)

_LIST_BYTES = 1 << 20
_LOG_BYTES = 1 << 20
_GROWTH_BYTES = 1 << 20
"""Allowed growth of a file since it was listed."""
_RUN_BYTES = 128 << 20
_MOST_FILES = 64
_BUDGET_SECONDS = 2.0
"""Time limit of one call; the next call continues."""
_FIGURE_OR_MAPPING = re.compile(r"figures/\w{1,60}\.png|brain/\w{1,40}\.json")


class Mirror:
    """The runs of one server. Checkpoints stay there: they are large, and a training resumes only there."""

    def __init__(self, agent: Remote, runs: Path) -> None:
        self._agent = agent
        self._runs = runs
        self._ours: set[str] = set()

    def files(self, job: Job) -> RunFiles | None:
        """The files of the job's run on the server; None: the server has no such run.

        Raises:
            LostError: the agent gives no usable answer.
        """
        answer = self._agent.ask(f"/runs/{job.id}", _LIST_BYTES)
        if answer is None or not self._is_ours(job):
            return None
        try:
            return RunFiles.model_validate_json(answer)
        except ValidationError:
            raise LostError(
                f"The agent of {job.server} gives no list of files.", "Is it up to date?"
            ) from None

    def bring(self, job: Job, there: RunFiles, *, is_over: bool) -> bool:
        """Copies files that are new or changed, the result last; returns whether nothing is missing.

        Before the run `is_over`, only the files that show its progress are copied.

        Raises:
            LostError: a file cannot be fetched now, or the disk here is full.
        """
        folder = RunFolder(self._runs / job.id)
        until = time.monotonic() + _BUDGET_SECONDS
        if is_over:
            with self._told_of_a_full_disk():
                _mark_checkpoint(folder, there)
        for file in _wanted(folder, there, is_over=is_over):
            here = folder.path / file.name
            if here.exists() and here.stat().st_mtime_ns == file.modified_ns:
                continue
            if time.monotonic() > until:
                return False
            is_log = here == folder.log_file
            if not is_log and file.size_bytes + _GROWTH_BYTES > _RUN_BYTES - _size_bytes(folder):
                log.warning("%s of %s is too large to be copied", file.name, job.id)
                continue
            content = self._log(job, file) if is_log else self._content(job, file)
            if content is not None and is_over and not is_log and len(content) != file.size_bytes:
                raise LostError(
                    f"The agent of {job.server} gives {file.name} of {job.id} with another length than it lists.",
                    "Check the connection to it; the file is fetched again.",
                )
            if content is not None:
                with self._told_of_a_full_disk():
                    here.parent.mkdir(exist_ok=True)
                    write_atomically(here, content)
                    os.utime(here, ns=(file.modified_ns, file.modified_ns))
        return True

    @contextmanager
    def _told_of_a_full_disk(self) -> Iterator[None]:
        """Raises: LostError: the disk here is full."""
        try:
            yield
        except OSError as error:
            if not is_full_disk(error):
                raise
            full = full_disk(self._runs)
            raise LostError(full.message, full.hint) from None

    def _content(self, job: Job, file: RunFile) -> bytes | None:
        """The content of the file; None: it was removed since it was listed."""
        return self._agent.ask(f"/runs/{job.id}/{quote(file.name)}", file.size_bytes + _GROWTH_BYTES)

    def _log(self, job: Job, file: RunFile) -> bytes | None:
        """The end of the log, which is the part that is shown."""
        last = {"Range": f"bytes=-{_LOG_BYTES}"} if file.size_bytes > _LOG_BYTES else {}
        return self._agent.ask(f"/runs/{job.id}/{file.name}", _LOG_BYTES + _GROWTH_BYTES, headers=last)

    def _is_ours(self, job: Job) -> bool:
        """Whether the run of that name belongs to this job: names are short, and people train there too."""
        if job.id not in self._ours:
            name = RunFolder(self._runs / job.id).work_file(job.work).name
            content = self._agent.ask(f"/runs/{job.id}/{name}", _LIST_BYTES)
            try:
                if content is None or type(job.work).model_validate_json(content) != job.work:
                    return False
            except ValidationError:
                return False
            self._ours.add(job.id)
        return True


def _mark_checkpoint(folder: RunFolder, there: RunFiles) -> None:
    """Notes whether the run has a checkpoint on its server, where it stays."""
    if any(file.name == folder.checkpoint_file.name for file in there.files):
        folder.checkpoint_mark.touch()
    else:
        folder.checkpoint_mark.unlink(missing_ok=True)


def _wanted(folder: RunFolder, there: RunFiles, *, is_over: bool) -> list[RunFile]:
    """The files to copy, in this order."""
    names = {folder.environment_file, folder.history_file, folder.log_file, folder.progress_file}
    if is_over:
        names |= {folder.predictions_file, folder.analysis_file, folder.filters_file, folder.result_file}
        names |= {folder.exit_file, folder.lock_file}
    wanted = [
        file
        for file in there.files
        if folder.path / file.name in names or (is_over and _FIGURE_OR_MAPPING.fullmatch(file.name))
    ]
    # In the order of writing, in which pictures are shown; last what marks a finished run.
    marks = (folder.result_file.name, folder.exit_file.name)
    wanted.sort(key=lambda file: (file.name in marks and marks.index(file.name) + 1, file.modified_ns))
    return wanted[-_MOST_FILES:]


def _size_bytes(folder: RunFolder) -> int:
    return sum(file.stat().st_size for file in folder.path.rglob("*") if file.is_file())
