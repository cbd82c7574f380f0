"""What reaches the sheets when Google does not answer."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.settings import GoogleSettings
from backend.sheets.google.api import GoogleApi
from backend.sheets.google.sheet import GoogleSheet
from backend.sheets.table import Column, Section, Table
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
    assert len(workbook.read("Results")) == 4  # the header and the runs
    server.away = None
    assert publisher.flush()
    assert publisher.error == ""
    titles = [tab.title for tab in server.state.tabs]
    assert sorted(titles) == ["Results", "Run r1", "Run r2", "Run r3", "Servers", "Sheet1"]
    assert [row[0] for row in google.read("Results")[2:]] == ["r1", "r2", "r3"]
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


def test_publishing_does_not_wait_for_google(
    database: sa.Engine, server: SheetsServer, google: GoogleSheet, workbook: Workbook
) -> None:
    publisher = Publisher(Outbox(database), workbook, lambda: google)
    publisher.publish([texts("one")])
    assert workbook.read("Jobs")[1][0] == "one"
    assert server.calls == []

    def publish_while_google_writes() -> None:
        if len(server.calls) == 2:  # before both, it read which tabs there are
            publisher.publish([texts("two")])

    server.before_call = publish_while_google_writes
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


def test_a_missing_key_is_an_error_until_it_is_there(
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


def test_a_tab_is_written_only_when_its_table_changed(
    database: sa.Engine, server: SheetsServer, google: GoogleSheet, workbook: Workbook
) -> None:
    outbox = Outbox(database)
    for _ in range(2):  # also after a restart
        publisher = Publisher(outbox, workbook, lambda: google)
        for _ in range(3):
            publisher.publish([texts("one"), texts("two", name="Results")], gone=["Run r1"])
            assert publisher.flush()
    assert len(server.writes) == 1
    changed = workbook.tabs()
    publisher.publish([texts("one"), texts("three", name="Results")])
    assert [item.tab for item in outbox.waiting()] == ["Results"]
    assert workbook.tabs()[0] == changed[0]
    publisher.publish([texts("one")], gone=["Results"])
    assert publisher.flush()
    assert [tab.title for tab in server.state.tabs] == ["Sheet1", "Jobs"]
    assert publisher.shown() == {"Jobs"}


def test_a_change_that_waits_counts_as_published(database: sa.Engine, workbook: Workbook) -> None:
    outbox = Outbox(database)
    publisher = Publisher(outbox, workbook, lambda: pytest.fail("nothing is sent"))
    publisher.publish([texts("one")])
    version = outbox.waiting()[0].version
    publisher.publish([texts("one")])
    assert outbox.waiting()[0].version == version
    publisher.publish([], gone=["Jobs"])
    assert publisher.shown() == set()
    publisher.publish([texts("one")])
    assert publisher.shown() == {"Jobs"}
    assert workbook.read("Jobs")[1][0] == "one"


def test_a_restart_repairs_what_is_missing_and_writes_nothing_else(
    database: sa.Engine, server: SheetsServer, google: GoogleSheet, workbook: Workbook
) -> None:
    tables = [texts(name, name=name) for name in ("Jobs", "Results", "Compare a b")]
    publisher = Publisher(Outbox(database), workbook, lambda: google)
    publisher.publish(tables)
    assert publisher.flush()
    server.state.tabs.remove(server.state.tab("Compare a b"))
    server.state.forget_lost()
    server.state.tab("Jobs").put(1, 0, {"userEnteredValue": {"stringValue": "as it was"}})
    with database.begin() as connection:
        connection.execute(sa.text("DELETE FROM workbook_tabs WHERE name = 'Results'"))
    publisher = Publisher(Outbox(database), workbook, lambda: google)
    publisher.publish(tables[:2])
    assert publisher.flush()
    assert {name for name, _ in workbook.tabs()} == {"Jobs", "Results", "Compare a b"}
    assert google.read("Compare a b")[1][0] == "Compare a b"
    assert google.read("Jobs")[1][0] == "as it was"


def test_tabs_that_another_release_drew_are_drawn_again(
    database: sa.Engine, server: SheetsServer, google: GoogleSheet, workbook: Workbook
) -> None:
    publisher = Publisher(Outbox(database), workbook, lambda: google)
    publisher.publish([texts("one"), texts("two", name="Results")])
    assert publisher.flush()
    [(number, (mark, tab, line))] = [
        (number, entry)
        for number, entry in server.state.marks.items()
        if '"Jobs"' in entry[0]["metadataValue"]
    ]
    value = {
        key: part for key, part in json.loads(mark["metadataValue"]).items() if key not in ("release", "rank")
    }
    server.state.marks[number] = ({**mark, "metadataValue": json.dumps(value)}, tab, line)
    for title in ("Jobs", "Results"):
        server.state.tab(title).put(1, 0, {"userEnteredValue": {"stringValue": "old drawing"}})
    assert google.shown() == {"Results"}
    assert Publisher(Outbox(database), workbook, lambda: google).flush()
    assert [google.read(title)[1][0] for title in ("Jobs", "Results")] == ["one", "old drawing"]
    assert google.shown() == {"Jobs", "Results"}


def test_what_another_release_left_to_wait_is_dropped_and_made_again(
    database: sa.Engine, google: GoogleSheet, workbook: Workbook, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(database)
    publisher = Publisher(outbox, workbook, lambda: google)
    publisher.publish([texts("one")])
    assert publisher.flush()
    outbox.put(
        {
            "Jobs": '{"name": "Jobs", "cells": []}',
            "Results": "no JSON",
            "Usage": texts("u", name="Usage").model_dump_json(),
        }
    )
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE workbook_tabs SET content = 'no JSON either'"))
    publisher = Publisher(outbox, workbook, lambda: google)
    assert publisher.flush()
    assert "the tab Jobs is not published: another release" in caplog.text
    assert google.read("Usage")[1][0] == "u"
    assert "cannot be read" in workbook.table("Jobs")[0].sections[0].note
    publisher.publish([texts("one"), texts("two", name="Results")])
    assert publisher.flush()
    assert [workbook.read(tab)[1][0] for tab in ("Jobs", "Results")] == ["one", "two"]
    assert google.read("Results")[1][0] == "two"
    assert outbox.waiting() == []


def test_a_tab_that_cannot_be_drawn_holds_up_no_other(
    database: sa.Engine, google: GoogleSheet, workbook: Workbook, caplog: pytest.LogCaptureFixture
) -> None:
    no_time = Section(columns=(Column(title="Seen", format="time"),), rows=(("soon",),))
    publisher = Publisher(Outbox(database), workbook, lambda: google)
    publisher.publish([Table(name="Results", rank=1, sections=(no_time,)), texts("one")])
    assert not publisher.flush()
    assert google.read("Jobs")[1][0] == "one"
    assert publisher.error.startswith("Results: it cannot be drawn (ValueError)")
    assert "tabs cannot be drawn: Results" in caplog.text
