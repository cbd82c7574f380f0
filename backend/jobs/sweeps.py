"""Sweeps: grids of trainings queued, extended, paused, resumed and cancelled."""

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from pydantic import ValidationError

from backend.errors import InvalidError, NotFoundError, SheetrackError
from backend.jobs.architectures import depths_of
from backend.jobs.data_reading import DataReading
from backend.jobs.job import Job, Resources, servers_in
from backend.jobs.queue import Queue
from backend.jobs.requests import DEFAULT
from backend.jobs.results import Results
from backend.jobs.standings import Standings
from backend.jobs.store import JobStore
from backend.jobs.sweep import (
    GRID_FIELDS,
    Grid,
    Sweep,
    SweepView,
    preparation_id,
    sweep_id,
    training_key,
    trials,
)
from backend.servers.server import Server
from backend.settings import sentence
from backend.times import now
from models.recipe import Recipe

log = logging.getLogger(__name__)

MOST_TRAININGS = 1000


_WAITS = "waits until its data is read"


class StartedSweep(SweepView):
    queued: list[str]
    """The jobs that are new."""


class Sweeps:
    """Safe to use from several threads."""

    def __init__(
        self,
        servers: Mapping[str, Server],
        *,
        store: JobStore,
        queue: Queue,
        results: Results,
        standings: Standings,
        on_jobs_changed: Callable[[], None],
    ) -> None:
        self._servers = servers
        self._store = store
        self._queue = queue
        self._results = results
        self._standings = standings
        self._on_jobs_changed = on_jobs_changed
        self._advancing = threading.Lock()
        self._reading: tuple[DataReading, datetime] | None = None
        """The folder that is read now, and since when."""

    def request(
        self,
        server: str,
        recipe: Recipe,
        grid: Grid,
        requested_by: str,
        resources: Resources = DEFAULT,
    ) -> StartedSweep:
        """Queues what is not measured yet of `grid`, with all else from `recipe`; a known sweep grows.

        A training that failed or was cancelled is queued again; one that waits or runs is not. Where the data
        is on this machine it has to be read first: until `advance` has done that, the sweep is `preparing`,
        under another id and without jobs. The same request meanwhile changes nothing.

        Raises:
            NotFoundError: there is no such server.
            InvalidError: there is no such architecture, depth or data, or the grid is too large.
        """
        sweep = self._checked(server, recipe, grid, requested_by, resources)
        if not self._has_data_here(sweep):
            return self._begin(sweep)
        name = preparation_id(sweep.server, sweep.recipe, grid)
        wanted = sweep.model_copy(update={"id": name, "preparing": _WAITS})
        if self._store.add_sweep(wanted).fault:
            again = {"preparing": _WAITS, "fault": "", "requested_by": requested_by, "submitted_at": now()}
            self._store.change_sweep(name, **again)
        self._on_jobs_changed()
        return StartedSweep(**dict(self._views({name})[0]), queued=[])

    def start(
        self,
        server: str,
        recipe: Recipe,
        grid: Grid,
        requested_by: str,
        report: Callable[[str], None] = lambda _: None,
        *,
        resources: Resources = DEFAULT,
    ) -> StartedSweep:
        """Does what `request` does, and waits until the data is read; `report` is told how far that is.

        Raises:
            NotFoundError: there is no such server.
            InvalidError: there is no such architecture, depth or data, or the grid is too large.
            UnavailableError: the data cannot be read.
        """
        sweep = self._checked(server, recipe, grid, requested_by, resources)
        if self._has_data_here(sweep):
            reading = DataReading(self._queue.requests.data_here(sweep.recipe.data), sweep.recipe)
            try:
                while not reading.wait(0.5):
                    report(reading.progress)
            finally:
                reading.stop()
            sweep = sweep.model_copy(update={"data": reading.facts()})
        return self._begin(sweep)

    def advance(self) -> None:
        """Reads the data of sweeps that are `preparing`, one folder at a time, then queues their jobs; and next rungs."""
        with self._advancing:
            self._climb()
            waiting = [sweep for sweep in self._store.sweeps() if sweep.preparing]
            if self._reading is None:
                if waiting:
                    oldest = waiting[-1].recipe
                    self._reading = (DataReading(self._queue.requests.data_here(oldest.data), oldest), now())
                return
            reading, began_at = self._reading
            theirs = [
                sweep
                for sweep in waiting
                if reading.what
                == (
                    self._queue.requests.data_here(sweep.recipe.data),
                    sweep.recipe.seconds,
                    sweep.recipe.sample_rate,
                )
                and sweep.submitted_at <= began_at
            ]
            if not theirs:  # they were cancelled
                self.close()
            elif reading.wait(0):
                self._reading = None
                for sweep in reversed(theirs):
                    self._finish(sweep, reading)
            else:
                self._note(
                    [sweep for sweep in theirs if sweep.preparing != reading.progress], reading.progress
                )

    def close(self) -> None:
        """Stops reading data. The next backend reads it again."""
        if self._reading:
            reading, _ = self._reading
            reading.stop()
            self._reading = None

    def _note(self, sweeps: Sequence[Sweep], preparing: str, fault: str = "") -> None:
        for sweep in sweeps:
            with suppress(NotFoundError):  # it was cancelled
                self._store.change_sweep(sweep.id, preparing=preparing, fault=fault)
        if sweeps:
            self._on_jobs_changed()

    def _finish(self, request: Sweep, reading: DataReading) -> None:
        """Queues the jobs of a request whose data was read; what goes wrong is its fault, for people to see."""
        try:
            started = self._begin(request.model_copy(update={"data": reading.facts(), "preparing": ""}))
        except Exception as error:
            fault = str(error) if isinstance(error, SheetrackError) else f"{type(error).__name__}: {error}"
            log.exception("sweep %s cannot be queued", request.id)
            self._note([request], "", fault)
            return
        if not self._store.remove_sweep(request.id):  # it was cancelled meanwhile
            for job in started.queued:
                self._queue.cancel(job, "request")
        self._on_jobs_changed()

    def _has_data_here(self, sweep: Sweep) -> bool:
        """Whether the sweep may run on this machine, which then has its data."""
        return any(self._servers[name].is_here for name in self._queue.requests.servers_for(sweep.server))

    def _checked(
        self, server: str, recipe: Recipe, grid: Grid, requested_by: str, resources: Resources
    ) -> Sweep:
        """The sweep that is asked for, without its data and name."""
        try:
            count, _ = grid.planned(recipe)
        except ValueError as error:
            raise InvalidError(f"What varies makes no sense: {_why(error)}.") from None
        if count > MOST_TRAININGS:
            raise InvalidError(
                f"The grid has {count:,} trainings, more than {MOST_TRAININGS:,}.", "Ask for a part of it."
            )
        for depth in grid.depths:
            checked = self._queue.requests.checked_recipe(
                server, recipe.model_copy(update={"depth": depth, "batch_norm": True}), resources
            )
        if not checked.batch_norm:  # a network of the lab's own that has no choice
            grid = grid.model_copy(update={"batch_norms": (False,)})
        plain = {name: Recipe.model_fields[name].default for name in GRID_FIELDS}
        recipe = checked.model_copy(update=plain)
        try:
            Recipe.model_validate(grid.recipes(recipe)[-1].model_dump())
        except ValidationError as error:
            raise InvalidError(f"The last training of the grid makes no sense: {sentence(error)}.") from None
        return Sweep(
            id="",
            server=",".join(servers_in(server)),
            resources=resources,
            recipe=recipe,
            grid=grid,
            layers={network.depth: network.layer for network in depths_of(recipe.architecture)},
            data=None,
            requested_by=requested_by,
            submitted_at=now(),
        )

    def _begin(self, wanted: Sweep) -> StartedSweep:
        name = sweep_id(wanted.server, wanted.recipe, wanted.data, wanted.grid)
        sweep = self._store.add_sweep(wanted.model_copy(update={"id": name}))
        self._results.collect()
        queued = self._queue_missing(sweep.model_copy(update={"grid": wanted.grid}), wanted.requested_by)
        self._on_jobs_changed()
        return StartedSweep(**dict(self._views({name})[0]), queued=[job.id for job in queued])

    def _climb(self) -> None:
        """Queues the next rung of each sweep whose last one is over."""
        for view in self._standings.views():
            is_held = view.paused_by or view.preparing or view.fault
            if view.grid.halving and not is_held and any(cell.is_due for cell in view.cells):
                self._results.collect()
                self._queue_missing(view, view.requested_by, only_new=True)
                self._on_jobs_changed()

    def _server_for(self, sweep: Sweep, recipe: Recipe) -> str:
        """Where a training of the sweep may run: one that goes on, where its checkpoint is."""
        if not recipe.parent:
            return sweep.server
        with suppress(NotFoundError):
            return self._store.job(recipe.parent).server or sweep.server
        return next((name for name, server in self._servers.items() if server.is_here), sweep.server)

    def _queue_missing(self, sweep: Sweep, requested_by: str, *, only_new: bool = False) -> list[Job]:
        """Queues what has no result and no unfinished job; `only_new`: what was never submitted."""
        jobs = self._store.jobs_of(sweep.id)
        queued = []
        for recipe, measured, job in trials(sweep, jobs, self._standings.measured(sweep, jobs)):
            if measured or (job and (only_new or not job.state.is_over)):
                continue
            # Two requests for the same at once queue it once.
            key = f"{sweep.id} {training_key(recipe)} after {job.id if job else 'none'}"
            queued.append(
                self._queue.queue(
                    self._server_for(sweep, recipe),
                    recipe,
                    requested_by,
                    key,
                    sweep=sweep.id,
                    resources=sweep.resources,
                )
            )
        return queued

    def pause(self, name: str, by: str) -> list[SweepView]:
        """Lets nothing more of a sweep, or of all sweeps of an architecture, start; what runs continues.

        Raises:
            NotFoundError: there is no such sweep.
        """
        return self._mark(self._chosen(name), by)

    def resume(self, name: str) -> list[SweepView]:
        """Lets what waits start again.

        Raises:
            NotFoundError: there is no such sweep.
        """
        return self._mark(self._chosen(name), None)

    def cancel(self, name: str, by: str) -> list[SweepView]:
        """Cancels all jobs of a sweep, or of all sweeps of an architecture, that wait or run. Twice is harmless.

        Raises:
            NotFoundError: there is no such sweep.
        """
        chosen = self._chosen(name)
        requests = {sweep.id for sweep in chosen if sweep.preparing or sweep.fault}
        removed = self._views(requests)
        for request in requests:
            self._store.remove_sweep(request)
        for sweep in chosen:
            self._queue.cancel_sweep(sweep.id, by)
        return [*removed, *self._mark([sweep for sweep in chosen if sweep.id not in requests], None)]

    def _chosen(self, name: str) -> list[Sweep]:
        chosen = [sweep for sweep in self._store.sweeps() if name in (sweep.id, sweep.recipe.architecture)]
        if not chosen:
            raise NotFoundError(f"There is no sweep {name!r}.", "`sheetrack sweep` lists them.")
        return chosen

    def _mark(self, chosen: Sequence[Sweep], paused_by: str | None) -> list[SweepView]:
        marked = [self._store.change_sweep(sweep.id, paused_by=paused_by) for sweep in chosen]
        self._on_jobs_changed()
        return self._views({sweep.id for sweep in marked})

    def sweeps(self) -> list[SweepView]:
        """All of them, the newest first."""
        return self._standings.views()

    def _views(self, ids: Collection[str]) -> list[SweepView]:
        return [view for view in self._standings.views() if view.id in ids]


def _why(error: ValueError) -> str:
    return sentence(error) if isinstance(error, ValidationError) else str(error)
