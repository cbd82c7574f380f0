from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.database import open_database
from backend.probe.snapshot import GpuReading, Snapshot
from backend.servers.faults import missing_gpus
from backend.servers.known_gpus import KnownGpus
from backend.servers.state import KnownGpu
from tests.servers.moments import moment


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(tmp_path / "store.db")
    yield engine
    engine.dispose()


def snapshot(*uuids: str | None, server: str = "ada") -> Snapshot:
    gpus = tuple(GpuReading(index=index, uuid=uuid, name="H100") for index, uuid in enumerate(uuids))
    return Snapshot(server=server, at=moment(0), gpus=gpus)


def test_all_gpus_ever_seen_are_remembered_until_a_person_confirms(database: sa.Engine) -> None:
    known = KnownGpus(database)
    known.note([snapshot("a", "b", "c"), snapshot("x", server="bob"), snapshot(server="none")])
    later = snapshot("a", "c")
    known.note([later])
    again = KnownGpus(database).by_server()
    assert {name: [gpu.uuid for gpu in gpus] for name, gpus in again.items()} == {
        "ada": ["a", "b", "c"],
        "bob": ["x"],
    }
    missing = missing_gpus(later, again["ada"])
    assert missing == [KnownGpu(index=1, uuid="b", name="H100")]
    known.forget("ada", missing)
    assert missing_gpus(later, known.by_server()["ada"]) == []


def test_what_is_asked_at_every_request_is_made_again_only_after_a_change(database: sa.Engine) -> None:
    known, elsewhere = KnownGpus(database), KnownGpus(database)
    known.note([snapshot("a", "b")])
    found, changes = known.by_server(), known.changes
    known.note([snapshot("a", "b")])
    assert known.by_server() is found
    assert known.changes == changes
    elsewhere.forget("ada", found["ada"][:1])
    assert [gpu.uuid for gpu in known.by_server()["ada"]] == ["b"]
    known.forget("ada", found["ada"])
    assert known.by_server() == {}
    assert known.changes > changes


def test_without_a_change_nothing_is_written(database: sa.Engine) -> None:
    known, writes = KnownGpus(database), []
    known.note([snapshot("a", "b")])

    @sa.event.listens_for(database, "before_cursor_execute")
    def _count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            writes.append(statement)

    known.note([snapshot("a", "b"), Snapshot(server="ada", at=moment(15)), snapshot(None, "b")])
    assert writes == []


def test_a_server_that_names_other_gpus_each_time_fills_no_store(database: sa.Engine) -> None:
    known = KnownGpus(database)
    for place in range(10):
        known.note([snapshot(*(f"{place}-{index}" for index in range(40)))])
    assert len(known.by_server()["ada"]) == 128
