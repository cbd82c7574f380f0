"""How far every sweep is. Only what changed is read and computed again."""

import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from pydantic import ValidationError

from backend.jobs.job import Job, JobState
from backend.jobs.store import JobStore
from backend.jobs.sweep import Sweep, SweepView, cells, training_key, trials
from backend.jobs.trial import Measured
from models.recipe import Recipe

_COUNT = sa.text("SELECT count(*), max(rowid) FROM results")
# Not the whole content: a confusion matrix is most of it.
_RESULTS = sa.text(
    """
    SELECT run, json_extract(content, '$.data.hash'), json_extract(content, '$.recipe'),
           json_extract(content, '$.test_accuracy'), json_extract(content, '$.test_accuracy_full_length'),
           json_extract(content, '$.validation_accuracy')
    FROM results WHERE rowid > :after AND json_valid(content) ORDER BY rowid
    """
)
_JOBS = sa.text("SELECT sweep, count(*), max(ended_at) FROM jobs WHERE sweep IS NOT NULL GROUP BY sweep")
_UNFINISHED = sa.text(
    """
    SELECT sweep, id, state, reason, progress FROM jobs
    WHERE sweep IS NOT NULL AND state IN :unfinished ORDER BY number
    """
).bindparams(
    sa.bindparam("unfinished", [state.value for state in JobState if not state.is_over], expanding=True)
)


class _Known(NamedTuple):
    stamp: object
    view: SweepView


class Standings:
    """Safe to use from several threads. Results that other processes store are seen too."""

    def __init__(self, database: sa.Engine, store: JobStore) -> None:
        self._reading = database.execution_options(reading=True)
        self._store = store
        self._lock = threading.Lock()
        self._stored = (0, 0)
        """How many results were read, and the rowid of the newest."""
        self._by_data: dict[str, dict[str, Measured]] = {}
        """The first run of each training, by the hash of its data and its key."""
        self._by_run: dict[str, tuple[str, Measured]] = {}
        """Each run with its key."""
        self._known: dict[str, _Known] = {}

    def views(self) -> list[SweepView]:
        """All sweeps, the newest first; the same object as before for a sweep that did not change."""
        with self._lock:
            if not (sweeps := self._store.sweeps()):
                return []  # and no result is read
            self._read_results()
            stamps = self._stamps()
            before, self._known = self._known, {}
            for sweep in sweeps:
                on_data = len(self._by_data.get(sweep.data.hash, ())) if sweep.data else len(self._by_run)
                stamp = (sweep, on_data, stamps.get(sweep.id))
                known = before.get(sweep.id)
                if known is None or known.stamp != stamp:
                    known = _Known(stamp, self._view(sweep))
                self._known[sweep.id] = known
            return [known.view for known in self._known.values()]

    def measured(self, sweep: Sweep, jobs: Sequence[Job]) -> Mapping[str, Measured]:
        """The finished runs that count for a sweep with these jobs, by `training_key`.

        Any run on the sweep's data counts. Where the data is not known, the sweep's own runs count.
        """
        with self._lock:
            self._read_results()
            return dict(self._measured(sweep, jobs))

    def _measured(self, sweep: Sweep, jobs: Sequence[Job]) -> Mapping[str, Measured]:
        if sweep.data:
            return self._by_data.get(sweep.data.hash, {})
        return dict(self._by_run[job.id] for job in reversed(jobs) if job.id in self._by_run)

    def _view(self, sweep: Sweep) -> SweepView:
        jobs = self._store.jobs_of(sweep.id)
        return SweepView(
            **dict(sweep), cells=cells(trials(sweep, jobs, self._measured(sweep, jobs)), sweep.grid)
        )

    def _stamps(self) -> dict[str, object]:
        """For each sweep what changes whenever one of its jobs does: finished jobs stay as they are."""
        with self._reading.connect() as connection:
            stamps: dict[str, list[object]] = {row[0]: [tuple(row)] for row in connection.execute(_JOBS)}
            for row in connection.execute(_UNFINISHED):
                stamps.setdefault(row[0], []).append(tuple(row))
        return dict(stamps)

    def _read_results(self) -> None:
        """Reads the results that are new; all of them where some were replaced."""
        with self._reading.connect() as connection:
            count, newest = connection.execute(_COUNT).one()
            if (count, newest or 0) == self._stored:
                return
            read, after = self._stored
            if (
                connection.execute(
                    sa.text("SELECT count(*) FROM results WHERE rowid > :after"), {"after": after}
                ).scalar_one()
                != count - read
            ):
                self._by_data, self._by_run, self._known, after = {}, {}, {}, 0
            for run, data_hash, recipe, accuracy, full_length, validation in connection.execute(
                _RESULTS, {"after": after}
            ):
                try:
                    key = training_key(Recipe.model_validate_json(recipe))
                    measured = Measured(
                        run,
                        float(accuracy),
                        None if full_length is None else float(full_length),
                        None if validation is None else float(validation),
                    )
                except (ValidationError, TypeError, ValueError):
                    continue  # the store logs what it cannot read
                self._by_data.setdefault(data_hash, {}).setdefault(key, measured)
                self._by_run[run] = (key, measured)
            self._stored = (count, newest or 0)
