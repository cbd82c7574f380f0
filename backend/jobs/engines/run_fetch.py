"""All files of a run on another server, checkpoints too, which the mirror leaves there."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from backend.errors import NotFoundError, UnavailableError
from backend.jobs.engines.http_client import Remote, open_client
from backend.jobs.engines.run_mirror import Mirror
from backend.jobs.job import Job
from backend.jobs.run_files import RunFile
from backend.servers.server import Server, read_agent_token
from models.run_folder import RunFolder

_PART_BYTES = 4 << 20


def fetch_run(server: Server, job: Job, runs: Path, report: Callable[[str], None]) -> list[str]:
    """Brings the files that are not here yet into the run folder; returns their names, which `report` is told.

    Raises:
        NotFoundError: the server has no such run.
        LostError: its agent gives no usable answer.
        UnavailableError: a file changed while it was fetched.
    """
    folder = RunFolder(runs / job.id)
    with open_client() as client:
        token = partial(read_agent_token, server.token_file)
        agent = Remote(client, f"The agent of {server.name}", server.agent or "", token)
        there = Mirror(agent, runs).files(job)
        if there is None:
            raise NotFoundError(f"{server.name} has no run {job.id}.", "It may have been removed there.")
        known = {file.name for file in _known(folder)}
        brought = []
        for file in there.files:
            here = folder.path / file.name
            if file.name not in known or (here.exists() and here.stat().st_size == file.size_bytes):
                continue
            report(file.name)
            _bring(agent, job, file, here)
            brought.append(file.name)
    return brought


def _known(folder: RunFolder) -> list[Path]:
    """The names of a run's own files: an agent's answers are not trusted."""
    return [
        folder.recipe_file, folder.command_file, folder.environment_file, folder.history_file,
        folder.progress_file, folder.predictions_file, folder.analysis_file, folder.filters_file,
        folder.log_file, folder.result_file, folder.checkpoint_file, folder.start_file, folder.architecture_file,
    ]  # fmt: skip


def _bring(agent: Remote, job: Job, file: RunFile, here: Path) -> None:
    """Part by part, so that no file has to fit into the memory; a file is there whole or not at all."""
    here.parent.mkdir(parents=True, exist_ok=True)
    draft = here.with_name(f".{here.name}.{os.getpid()}")
    try:
        with draft.open("wb") as opened:
            while (at := opened.tell()) < file.size_bytes:
                part = agent.part(f"/runs/{job.id}/{file.name}", at, _PART_BYTES)
                if part is None or not part.content or part.start != at:
                    raise UnavailableError(
                        f"{file.name} of {job.id} changed while it was fetched.", "Fetch it again."
                    )
                opened.write(part.content)
        draft.replace(here)
        os.utime(here, ns=(file.modified_ns, file.modified_ns))
    finally:
        draft.unlink(missing_ok=True)
