from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.database import open_database
from backend.probe.snapshot import Snapshot
from backend.servers.history import STEP, History
from backend.servers.readings import _SNAPSHOTS, Readings
from backend.times import floor, now


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


def test_a_reading_that_cannot_be_read_costs_itself_alone(database: sa.Engine) -> None:
    readings, begin = Readings(database), now() - timedelta(hours=20)
    good = [Snapshot(server="gpu1", at=begin + timedelta(hours=hours)) for hours in (1, 15)]
    readings.remember(good)
    rows = [
        {"server": "gpu1", "at": begin + timedelta(hours=hours), "content": content}
        for hours, content in ((0, "{"), (2, "{}"), (8, '{"server": "gpu1", "at": "soon"}'))
    ]
    with database.begin() as connection:
        connection.execute(sa.insert(_SNAPSHOTS), rows)
    assert readings.between("gpu1", begin) == good
    history = History(database, readings, ["gpu1"], 15)
    history.summarize(now())
    history.summarize(now())
    points = history.points("gpu1", begin - timedelta(hours=1), now())
    assert [point.at for point in points] == [floor(snapshot.at, STEP) for snapshot in good]
