"""Sweeps: grids of trainings queued, extended, paused, resumed and cancelled."""

from collections.abc import Callable, Collection, Mapping, Sequence

from backend.errors import InvalidError, NotFoundError
from backend.jobs.architectures import architectures
from backend.jobs.job import Job
from backend.jobs.models_cli import ask
from backend.jobs.queue import Queue
from backend.jobs.results import Results
from backend.jobs.standings import Standings
from backend.jobs.store import JobStore
from backend.jobs.sweep import GRID_FIELDS, Grid, Sweep, SweepView, sweep_id, training_key, trials
from backend.servers.server import Server
from backend.times import now
from models.recipe import Recipe
from models.result import DataFacts

MOST_TRAININGS = 1000


class StartedSweep(SweepView):
    queued: list[str]
    """The jobs that are new."""


class Sweeps:
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

    def start(self, server: str, recipe: Recipe, grid: Grid, requested_by: str) -> StartedSweep:
        """Queues what is not measured yet of `grid`, with all else from `recipe`; a known sweep grows.

        A training that failed or was cancelled is queued again; one that waits or runs is not.

        Raises:
            NotFoundError: there is no such server.
            InvalidError: there is no such architecture, depth or data, or the grid is too large.
        """
        if (count := len(grid.recipes(recipe))) > MOST_TRAININGS:
            raise InvalidError(
                f"The grid has {count:,} trainings, more than {MOST_TRAININGS:,}.", "Ask for a part of it."
            )
        data = {
            self._queue.checked(server, recipe.model_copy(update={"depth": depth})).data
            for depth in grid.depths
        }.pop()
        plain = {name: Recipe.model_fields[name].default for name in GRID_FIELDS}
        recipe = recipe.model_copy(update=plain | {"data": data})
        facts = self._read(data) if self._servers[server].is_here else None
        sweep = self._store.add_sweep(
            Sweep(
                id=sweep_id(server, recipe, facts),
                server=server,
                recipe=recipe,
                grid=grid,
                layers={
                    known.depth: known.layer
                    for known in architectures()
                    if known.architecture == recipe.architecture
                },
                data=facts,
                requested_by=requested_by,
                submitted_at=now(),
            )
        )
        self._results.collect()
        queued = self._queue_missing(sweep.model_copy(update={"grid": grid}), requested_by)
        self._on_jobs_changed()
        (view,) = self._views({sweep.id})
        return StartedSweep(**dict(view), queued=[job.id for job in queued])

    def _read(self, folder: str) -> DataFacts:
        return DataFacts.model_validate_json(ask("data", "describe", folder, "--json"))

    def _queue_missing(self, sweep: Sweep, requested_by: str) -> list[Job]:
        jobs = self._store.jobs_of(sweep.id)
        queued = []
        for recipe, measured, job in trials(sweep, jobs, self._standings.measured(sweep, jobs)):
            if measured or (job and not job.state.is_over):
                continue
            # Two requests for the same at once queue it once.
            key = f"{sweep.id} {training_key(recipe)} after {job.id if job else 'none'}"
            queued.append(self._queue.queue(sweep.server, recipe, requested_by, key, sweep.id))
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
        for sweep in chosen:
            self._store.cancel_jobs(sweep.id, f"cancelled by {by}", now())
        return self._mark(chosen, None)

    def _chosen(self, name: str) -> list[Sweep]:
        chosen = [sweep for sweep in self._store.sweeps() if name in (sweep.id, sweep.recipe.architecture)]
        if not chosen:
            raise NotFoundError(f"There is no sweep {name!r}.", "`sheetrack sweep` lists them.")
        return chosen

    def _mark(self, chosen: Sequence[Sweep], paused_by: str | None) -> list[SweepView]:
        marked = [self._store.pause_sweep(sweep.id, paused_by) for sweep in chosen]
        self._on_jobs_changed()
        return self._views({sweep.id for sweep in marked})

    def sweeps(self) -> list[SweepView]:
        """All of them, the newest first."""
        return self._standings.views()

    def _views(self, ids: Collection[str]) -> list[SweepView]:
        return [view for view in self._standings.views() if view.id in ids]
