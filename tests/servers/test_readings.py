from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.database import open_database
from backend.probe.snapshot import Snapshot
from backend.servers.readings import Readings
from backend.times import now


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(tmp_path / "store.db")
    yield engine
    engine.dispose()


def test_old_readings_are_forgotten_and_new_ones_kept(database: sa.Engine) -> None:
    readings = Readings(database)
    moment = now()
    old, new = (Snapshot(server="gpu1", at=moment - timedelta(days=age)) for age in (8, 1))
    readings.remember([old, new])
    assert readings.forget_before(moment - timedelta(days=7)) == 1
    assert readings.between("gpu1", moment - timedelta(days=30)) == [new]
