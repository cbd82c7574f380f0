from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.cli.maintenance import moment_of
from backend.database import open_database
from backend.errors import ConflictError, InvalidError, NotFoundError
from backend.probe.sampler import Sampler
from backend.servers.maintenance import Maintenance, Maintenances
from backend.servers.readings import Readings
from backend.servers.server import Server
from backend.servers.state import State
from backend.servers.status import Status
from backend.times import now

SERVERS = {"here": Server(name="here"), "cleo": Server(name="cleo", maintenance="new disks")}
HERE = datetime(2026, 11, 20, 17, 30).astimezone()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(tmp_path / "store.db")
    yield engine
    engine.dispose()


@pytest.fixture
def maintenances(database: sa.Engine) -> Maintenances:
    return Maintenances(database, SERVERS)


def test_it_is_shown_with_who_said_it_and_ends(
    database: sa.Engine, maintenances: Maintenances, tmp_path: Path
) -> None:
    with Status(
        list(SERVERS.values())[:1],
        Readings(database),
        interval_seconds=15,
        sampler=lambda name: Sampler(name, tmp_path),
        maintenance=maintenances.known,
    ) as status:
        status.refresh()
        before = status.verdict_of("here")
        maintenances.begin("here", "new fans", "kim")
        [here] = status.current()
        assert (here.verdict.state, here.verdict.reason) == (State.MAINTENANCE, "new fans (kim)")
        assert here.snapshot
        assert not here.suggested
        tomorrow = (now() + timedelta(days=1)).astimezone()
        maintenances.begin("here", "new fans", "lee", tomorrow)
        verdict = status.verdict_of("here")
        assert verdict
        assert verdict.reason == f"new fans (lee, until {tomorrow.day} {tomorrow:%b %H:%M})"
        maintenances.end("here")
        assert before
        assert status.current()[0].verdict.state is before.state


def test_a_reason_is_shown_as_text(maintenances: Maintenances) -> None:
    maintenances.begin("here", "\x1b[31mnew\nfans\u202e", "kim\x07")
    said = maintenances.known()["here"]
    assert (said.reason, said.by) == ("�[31mnew fans�", "kim�")


def test_its_end_ends_it() -> None:
    until = datetime(2026, 11, 22, 18, tzinfo=UTC)
    said = Maintenance(reason="new fans", by="kim", since=until - timedelta(hours=1), until=until)
    assert said.covers(until - timedelta(milliseconds=1))
    assert not said.covers(until)


def test_what_makes_no_sense_is_refused(maintenances: Maintenances) -> None:
    with pytest.raises(NotFoundError, match="no server 'nowhere'"):
        maintenances.begin("nowhere", "new fans", "kim")
    with pytest.raises(NotFoundError, match="no server 'nowhere'"):
        maintenances.end("nowhere")
    with pytest.raises(InvalidError, match="over already"):
        maintenances.begin("here", "new fans", "kim", now())
    with pytest.raises(InvalidError, match="reason"):
        maintenances.begin("here", "x" * 201, "kim")
    for hours in (-14, 0, 14):
        zone = timezone(timedelta(hours=hours))
        for far in (datetime(2200, 1, 1, tzinfo=zone), datetime(9999, 12, 31, 23, 59, tzinfo=zone)):
            with pytest.raises(InvalidError, match="after 2199"):
                maintenances.begin("here", "new fans", "kim", far)
        with pytest.raises(InvalidError, match="over already"):
            maintenances.begin("here", "new fans", "kim", datetime(1, 1, 1, tzinfo=zone))
    with pytest.raises(InvalidError, match="reason"):
        maintenances.begin("here", " \n ", "kim")
    maintenances.end("here")  # what is so already is no mistake
    with pytest.raises(ConflictError, match=r"by servers\.toml"):
        maintenances.end("cleo")
    assert maintenances.known() == {}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("18:00", (20, 18, 0)),
        ("17:30", (21, 17, 30)),
        ("09:15", (21, 9, 15)),
        ("2026-11-22", (23, 0, 0)),
        ("2026-11-22 18:00", (22, 18, 0)),
        ("2026-11-22T18:05", (22, 18, 5)),
    ],
)
def test_times_as_people_type_them(text: str, moment: tuple[int, int, int]) -> None:
    day, hour, minute = moment
    assert moment_of(text, HERE) == datetime(2026, 11, day, hour, minute).astimezone()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "25:00",
        "2026-13-01",
        "18",
        "18:00+01:00",
        "9999-12-31",
        "9999-12-31T23:00-14:00",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not like 18:00"):
        moment_of(text, HERE)
