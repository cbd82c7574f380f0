"""Which tabs are Sheetrack's: what people rename, delete or had before."""

from backend.sheets.google.sheet import GoogleSheet
from backend.tabs.run import run_table
from backend.tabs.servers import servers_table
from tests import examples
from tests.google.clock import Clock
from tests.google.server import SheetsServer
from tests.google.state import Row, Spreadsheet, Tab
from tests.sheets.made_tables import named, texts


def titles(server: SheetsServer) -> list[str]:
    return [tab.title for tab in server.state.tabs]


def kept(state: Spreadsheet, title: str) -> list[list[object]]:
    """Everything in a tab, as it is."""
    tab = state.tab(title)
    return [[row.cells.get(line) for line in tab.columns] for row in tab.rows]


def test_a_tab_of_theirs_with_our_name_is_never_written(server: SheetsServer, sheet: GoogleSheet) -> None:
    theirs = Tab(5, "jobs", 3, 3)
    theirs.put(0, 0, {"userEnteredValue": {"stringValue": "our job offers"}})
    server.state.tabs.append(theirs)
    before = kept(server.state, "jobs")
    for _ in range(3):
        sheet.publish([texts("one")])
    assert kept(server.state, "jobs") == before
    assert sheet.read("Jobs (Sheetrack)")[1][0] == "one"
    assert titles(server) == ["Sheet1", "jobs", "Jobs (Sheetrack)"]
    (remark,) = sheet.remarks()
    assert "A tab of yours is called 'Jobs'" in remark


def test_a_tab_that_people_renamed_is_theirs(server: SheetsServer, sheet: GoogleSheet) -> None:
    sheet.publish([texts("one")])
    server.state.tab("Jobs").title = "March"
    before = kept(server.state, "March")
    sheet.publish([texts("two")])
    sheet.publish([], gone=["March"])
    assert kept(server.state, "March") == before
    assert sheet.read("Jobs")[1][0] == "two"
    sheet.disconnect()
    assert kept(server.state, "March") == before
    assert not server.state.tab("March").protections
    assert titles(server) == ["Sheet1", "March"]


def test_a_tab_that_people_deleted_comes_back(server: SheetsServer, sheet: GoogleSheet) -> None:
    sheet.publish([texts("one")])
    server.state.tabs.remove(server.state.tab("Jobs"))
    server.state.forget_lost()
    sheet.publish([texts("two")])
    assert sheet.read("Jobs")[1][0] == "two"


def test_a_tab_that_vanishes_under_our_hands_comes_back(server: SheetsServer, sheet: GoogleSheet) -> None:
    sheet.publish([texts("one")])

    def delete_once() -> None:
        if server.calls[-1].method.endswith("spreadsheets.get") and "Jobs" in titles(server):
            server.state.tabs.remove(server.state.tab("Jobs"))
            server.state.forget_lost()
            server.before_call = lambda: None

    server.before_call = delete_once
    sheet.publish([texts("two")])
    assert sheet.read("Jobs")[1][0] == "two"


def test_rules_and_tabs_do_not_pile_up(server: SheetsServer, sheet: GoogleSheet, clock: Clock) -> None:
    for number in range(40):
        clock.now += 10
        history = examples.HISTORY * (1 + number % 5)
        sheet.publish(
            [
                servers_table(named(*["gpu1"] * (1 + number % 3))),
                run_table(examples.result(), history, []),
            ]
        )
    rules = {tab.title: len(tab.rules) for tab in server.state.tabs}
    assert rules == {"Sheet1": 0, "Servers": 1, "Run r1": 1}
    assert [len(tab.protections) for tab in server.state.tabs] == [0, 1, 1]
    assert len(server.state.marks) == 3, "two tabs, and which backend writes"


def test_a_tab_whose_mark_is_gone_is_known_by_its_protection(
    server: SheetsServer, sheet: GoogleSheet
) -> None:
    sheet.publish([texts("one"), texts("two", name="Results")])
    server.state.tab("Results").title = "March"
    server.state.marks.clear()
    sheet.publish([texts("three")])
    assert titles(server) == ["Sheet1", "Jobs", "March"]
    assert sheet.read("Jobs")[1][0] == "three"
    assert sheet.read("March")[1][0] == "two"
    sheet.publish([texts("four", name="Results")])
    assert set(titles(server)) == {"Sheet1", "Jobs", "March", "Results"}
    server.state.marks.clear()
    sheet.disconnect()
    assert titles(server) == ["Sheet1", "March"]
    assert not server.state.tab("March").protections


def test_a_damaged_mark_counts_as_none(server: SheetsServer, sheet: GoogleSheet) -> None:
    sheet.publish([texts("one")])
    for number, (content, tab, line) in server.state.marks.items():
        server.state.marks[number] = ({**content, "metadataValue": "{"}, tab, line)
    sheet.publish([texts("two")])
    assert titles(server) == ["Sheet1", "Jobs"]
    assert sheet.read("Jobs")[1][0] == "two"


def test_a_tab_without_its_warning_is_written_and_removed(server: SheetsServer, sheet: GoogleSheet) -> None:
    sheet.publish([texts("one")])
    server.state.tab("Jobs").protections.clear()
    sheet.publish([texts("two")])
    assert sheet.read("Jobs")[1][0] == "two"
    assert not server.state.tab("Jobs").protections
    sheet.disconnect()
    assert titles(server) == ["Sheet1"]


def test_more_rows_may_be_frozen_than_the_tab_is_to_have(server: SheetsServer, sheet: GoogleSheet) -> None:
    sheet.publish([texts(*"abcdefgh")])
    tab = server.state.tab("Jobs")
    tab.rows[2:2] = [Row() for _ in range(5)]
    tab.grid |= {"frozenRowCount": 12, "frozenColumnCount": 2}
    sheet.publish([texts("one")])
    assert [row[:1] for row in sheet.read("Jobs")] == [["Plain"], ["one"]]
    assert tab.grid["frozenRowCount"] == 1
    tab.grid["frozenRowCount"] = 2
    sheet.publish([texts("one", "two")])
    assert tab.grid["frozenRowCount"] == 2, "what people froze stays where it can"
