"""What reaches the sheets when Google does not answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.database import open_database
from backend.settings import GoogleSettings
from backend.sheets.google.api import GoogleApi
from backend.sheets.google.sheet import GoogleSheet
from backend.sheets.workbook import Workbook
from backend.tabs.names import SERVERS
from backend.tabs.outbox import Outbox
from backend.tabs.publisher import Publisher
from backend.tabs.results import results_table
from backend.tabs.run import run_table
from backend.tabs.servers import servers_table
from tests import examples
from tests.google.server import Fault, SheetsServer
from tests.sheets.made_tables import texts


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    database = open_database(tmp_path / "store.db")
    yield database
    database.dispose()


@pytest.fixture
def server() -> Iterator[SheetsServer]:
    with SheetsServer() as server:
        yield server
        assert not server.faults


@pytest.fixture
def google(server: SheetsServer, tmp_path: Path) -> Iterator[GoogleSheet]:
    settings = GoogleSettings(spreadsheet="lab", api_endpoint=server.address)
    google = GoogleSheet(GoogleApi(settings, tmp_path, sleep=lambda _: None), SERVERS)
    yield google
    google.close()


@pytest.fixture
def workbook(database: sa.Engine, tmp_path: Path) -> Workbook:
    return Workbook(database, tmp_path / "tabs", SERVERS)


@pytest.mark.parametrize("error", [Fault(status=503), Fault(), Fault(status=403)], ids=["503", "cut", "403"])
def test_what_google_missed_is_there_once_afterwards(
    database: sa.Engine, server: SheetsServer, google: GoogleSheet, workbook: Workbook, error: Fault
) -> None:
    server.away = error
    results = [examples.result(run) for run in ("r1", "r2", "r3")]
    publisher = Publisher(Outbox(database), workbook, lambda: google)
    for refresh in range(50):
        publisher.publish([servers_table([examples.busy_server()])])
        if refresh % 20 == 0:
            done = results[: refresh // 20 + 1]
            publisher.publish([results_table(done), run_table(done[-1], examples.HISTORY, [])])
        if refresh % 10 == 0:
            assert not publisher.flush()
        if refresh == 30:
            publisher = Publisher(Outbox(database), workbook, lambda: google)
    assert "Google" in publisher.error
    assert len(workbook.read("Results")) == 4
    server.away = None
    assert publisher.flush()
    assert publisher.error == ""
    titles = [tab.title for tab in server.state.tabs]
    assert sorted(titles) == ["Results", "Run r1", "Run r2", "Run r3", "Servers", "Sheet1"]
    assert [row[0] for row in google.read("Results")[1:]] == ["r1", "r2", "r3"]
    assert len(server.writes) == 1
    assert publisher.flush()
    assert len(server.writes) == 1


def test_a_tab_that_google_does_not_take_holds_up_no_other(
    database: sa.Engine,
    server: SheetsServer,
    google: GoogleSheet,
    workbook: Workbook,
) -> None:
    publisher = Publisher(Outbox(database), workbook, lambda: google)
    publisher.publish([texts("one"), texts("one", name="Results")])
    assert publisher.flush()
    server.state.tab("Results").is_locked = True
    publisher.publish([texts("two"), texts("two", name="Results")])
    assert not publisher.flush()
    assert [google.read(tab)[1][0] for tab in ("Jobs", "Results")] == ["two", "one"]
    assert publisher.error == (
        "Results: Its protection does not let Sheetrack write. Let anyone edit it, or rename it."
    )
    publisher.publish([texts("three")])
    assert not publisher.flush()
    writes = len(server.writes)
    assert not publisher.flush()
    assert len(server.writes) == writes  # it rests
    assert "Results" in publisher.error
    server.state.tab("Results").is_locked = False
    publisher.publish([texts("four", name="Results")])
    assert publisher.flush()
    assert publisher.error == ""
    assert [google.read(tab)[1][0] for tab in ("Jobs", "Results")] == ["three", "four"]


def test_nobody_waits_for_google(
    database: sa.Engine, server: SheetsServer, google: GoogleSheet, workbook: Workbook
) -> None:
    publisher = Publisher(Outbox(database), workbook, lambda: google)
    publisher.publish([texts("one")])
    assert workbook.read("Jobs")[1][0] == "one"
    assert server.calls == []
    server.before_call = lambda: publisher.publish([texts("two")])
    assert publisher.flush()
    assert workbook.read("Jobs")[1][0] == "two"
    server.before_call = lambda: None
    assert google.read("Jobs")[1][0] == "one"
    publisher.flush()
    assert google.read("Jobs")[1][0] == "two"


def test_without_google_nothing_waits(database: sa.Engine, workbook: Workbook) -> None:
    outbox = Outbox(database)
    publisher = Publisher(outbox, workbook)
    publisher.publish([texts("one"), texts("two", name="Run r1")])
    publisher.publish([], gone=["Run r1"])
    assert outbox.waiting() == []
    assert [name for name, _ in workbook.tabs()] == ["Jobs"]


def test_a_missing_key_is_trouble_until_it_is_there(
    database: sa.Engine, google: GoogleSheet, workbook: Workbook, tmp_path: Path
) -> None:
    keyless = GoogleSettings(spreadsheet="lab")
    file = tmp_path / "google-key.json"

    def opened() -> GoogleSheet:
        return google if file.exists() else GoogleSheet(GoogleApi(keyless, tmp_path), SERVERS)

    publisher = Publisher(Outbox(database), workbook, opened)
    publisher.publish([texts("one")])
    assert not publisher.flush()
    assert "google-key.json" in publisher.error
    file.touch()
    assert publisher.flush()
    assert google.read("Jobs")[1][0] == "one"
