"""Finished runs: found in their folders, stored, and shown."""

import logging
from collections.abc import Callable, Mapping

from pydantic import ValidationError

from backend.errors import NotFoundError
from backend.jobs.result import Result, RunResult
from backend.jobs.store import JobStore
from backend.servers.server import Server, this_machine
from backend.settings import Home, this_user
from models.run_folder import RunFolder

log = logging.getLogger(__name__)


class Results:
    def __init__(
        self,
        home: Home,
        servers: Mapping[str, Server],
        store: JobStore,
        on_results_changed: Callable[[set[str]], None],
    ) -> None:
        """`on_results_changed` is called with the ids of the runs that are new."""
        self._home = home
        self._servers = servers
        self._store = store
        self._on_results_changed = on_results_changed

    def collect(self) -> list[Result]:
        """Stores and publishes every finished run that is not stored yet, launched or trained directly."""
        known = self._store.result_ids()
        found = []
        for file in sorted(self._home.runs.glob("*/result.json")):
            folder = RunFolder(file.parent)
            if folder.id not in known and (result := self._read(folder)) is not None:
                self._store.add_result(result)
                found.append(result)
        if found:
            self._on_results_changed({result.run for result in found})
        return found

    def _read(self, folder: RunFolder) -> Result | None:
        try:
            content = RunResult.model_validate_json(folder.result_file.read_bytes())
        except (ValidationError, OSError) as error:
            log.warning("%s cannot be read: %s", folder.result_file, error)
            return None
        try:
            job = self._store.job(folder.id)
            server, requested_by = job.server, job.requested_by
        except NotFoundError:
            server, requested_by = self._this_server(), this_user()
        return Result(
            run=folder.id,
            server=server,
            requested_by=requested_by,
            finished_at=content.finished_at,
            content=content,
        )

    def _this_server(self) -> str:
        return next((server.name for server in self._servers.values() if server.is_here), this_machine())
