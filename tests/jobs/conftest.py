from collections.abc import Iterator

import pytest

from backend.database import open_database
from backend.jobs.standings import Standings
from backend.jobs.sweeps import Sweeps
from backend.settings import Home
from tests.jobs.scripted import ScriptedEngine, ScriptedLab


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def lab(home: Home, engine: ScriptedEngine) -> Iterator[ScriptedLab]:
    """Two servers, gpu1 and gpu2, with one engine."""
    database = open_database(home.store_file)
    yield ScriptedLab(home, database, {"gpu1": engine, "gpu2": engine})
    database.dispose()


@pytest.fixture
def sweeps(lab: ScriptedLab) -> Sweeps:
    """Of that lab."""
    return Sweeps(
        lab.servers,
        store=lab.store,
        queue=lab.queue,
        results=lab.results,
        standings=Standings(lab.database, lab.store),
        on_jobs_changed=lab.show,
    )
