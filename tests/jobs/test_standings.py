"""How far sweeps are, from what is stored; read again only where it changed."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from backend.database import open_database
from backend.jobs.job import JobState
from backend.jobs.standings import Standings
from backend.jobs.store import JobStore
from backend.jobs.sweep import SweepView
from backend.settings import Home
from backend.times import now
from models.result import DataFacts, Progress
from tests.jobs.swept import measured, sweep, view, waiting

PLACE: dict[str, Any] = {"depth": 5, "dropout": 0.25, "batch_norm": False}


@pytest.fixture
def database(home: Home) -> Iterator[sa.Engine]:
    engine = open_database(home.store_file)
    yield engine
    engine.dispose()


@pytest.fixture
def store(database: sa.Engine) -> JobStore:
    return JobStore(database)


@pytest.fixture
def standings(database: sa.Engine, store: JobStore) -> Standings:
    return Standings(database, store)


def runs(shown: SweepView) -> list[tuple[int, float, bool, tuple[str, ...]]]:
    return [(cell.depth, cell.dropout, cell.batch_norm, cell.runs) for cell in shown.cells if cell.runs]


def test_a_run_counts_with_the_same_recipe_and_data_whoever_launched_it(
    store: JobStore, standings: Standings
) -> None:
    store.add_sweep(sweep())
    other = measured("r2", 0.9, depth=5, dropout=0.75, batch_norm=False)
    facts = DataFacts(name="x", hash="y", synthetic=True)
    other = other.model_copy(update={"content": other.content.model_copy(update={"data": facts})})
    store.add_result(measured("r1", 0.8, **PLACE))
    store.add_result(other)
    store.add_result(measured("r3", 0.9, depth=8, dropout=0.25, batch_norm=False, epochs=3))
    assert [runs(shown) for shown in standings.views()] == [[(5, 0.25, False, ("r1",))]]


def test_where_the_data_is_not_known_the_sweep_s_own_runs_count(
    store: JobStore, standings: Standings
) -> None:
    store.add_sweep(sweep(data=None))
    store.add_result(measured("r1", 0.8, **PLACE))
    assert [runs(shown) for shown in standings.views()] == [[]]
    store.add_job(waiting("r1", JobState.DONE, **PLACE))
    assert [runs(shown) for shown in standings.views()] == [[(5, 0.25, False, ("r1",))]]


def made_again(standings: Standings, change: Callable[[], object]) -> set[str]:
    """The sweeps that `change` makes new views of."""
    before = {shown.id: shown for shown in standings.views()}
    assert all(before[shown.id] is shown for shown in standings.views())
    change()
    return {shown.id for shown in standings.views() if before[shown.id] is not shown}


def test_only_what_changed_is_made_again(store: JobStore, standings: Standings) -> None:
    store.add_sweep(sweep())
    store.add_sweep(sweep(id="s2", data=DataFacts(name="x", hash="y", synthetic=True)))
    job = store.add_job(waiting("r1", **PLACE))
    changes: list[dict[str, object]] = [
        {"reason": "gpu1 is full"},
        {"state": JobState.RUNNING},
        {"progress": Progress(epoch=1, epochs=2)},
        {"state": JobState.FAILED, "ended_at": now()},
    ]
    for change in changes:
        assert made_again(standings, partial(store.change_job, job, **change)) == {"s1"}
        job = store.job("r1")
        assert view(sweep(), [job]) in standings.views()
    result = measured("r1", 0.8, **PLACE)
    assert made_again(standings, lambda: store.add_result(result)) == {"s1"}
    assert made_again(standings, lambda: store.change_sweep("s2", paused_by="lee")) == {"s2"}


def test_results_of_other_processes_are_seen_and_replaced_ones_too(
    home: Home, database: sa.Engine, store: JobStore, standings: Standings
) -> None:
    store.add_sweep(sweep())
    store.add_result(measured("r1", 0.8, **PLACE))
    assert runs(standings.views()[0])
    another = open_database(home.store_file)
    JobStore(another).add_result(measured("r2", 0.9, depth=8, dropout=0.25, batch_norm=False))
    another.dispose()
    assert len(runs(standings.views()[0])) == 2
    with database.begin() as connection:
        connection.execute(sa.text("DELETE FROM results WHERE run = 'r1'"))
    store.add_result(measured("r3", 0.7, depth=8, dropout=0.75, batch_norm=False))
    assert [run for *_, run in runs(standings.views()[0])] == [("r2",), ("r3",)]


@pytest.mark.parametrize("content", ["{", "{}", '{"recipe": {}, "test_accuracy": "x"}'])
def test_a_result_that_cannot_be_read_costs_only_itself(
    database: sa.Engine, store: JobStore, standings: Standings, content: str
) -> None:
    store.add_sweep(sweep())
    store.add_result(measured("r0", 0.8, depth=8, dropout=0.25, batch_norm=False))
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE results SET content = :content"), {"content": content})
    store.add_result(measured("r1", 0.8, **PLACE))
    assert [runs(shown) for shown in standings.views()] == [[(5, 0.25, False, ("r1",))]]
    store.add_result(measured("r0", 0.8, depth=8, dropout=0.25, batch_norm=False), replace=True)
    assert len(runs(standings.views()[0])) == 2
