"""Columns beside people's own, while people rearrange theirs."""

from collections.abc import Callable

import pytest

from backend.errors import NotFoundError
from backend.sheets.google.sheet import GoogleSheet
from backend.tabs.servers import servers_table
from tests.google import peoples_tab
from tests.google.peoples_tab import Person
from tests.google.server import SheetsServer
from tests.sheets.google.columns import ours
from tests.sheets.made_tables import SHOWN, named


class TestColumns:
    @pytest.fixture(autouse=True)
    def _reserved(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        peoples_tab.reserve(server.state, ["gpu1", "gpu2"])
        sheet.publish([servers_table(named("gpu1", "gpu2"))])

    def test_written_once(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        done = len(server.writes)
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        assert len(server.writes) == done
        assert ours(server) == {title: 6 + at for at, title in enumerate(SHOWN)}
        assert sheet.errors() == []

    def test_the_key_column_may_be_guessed(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        sheet.annotate(peoples_tab.TITLE, "", ("Verdict",))
        formula = server.state.formula(server.state.tab(77).cell(peoples_tab.HEADER, 6))
        assert formula.startswith("=ARRAYFORMULA(IF(ROW(B4:B)=ROW(B4);")

    def test_other_columns_replace_those_that_are_not_wanted(
        self, server: SheetsServer, sheet: GoogleSheet
    ) -> None:
        person = Person(lambda: server.state)
        before = person.work()
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        sheet.annotate(peoples_tab.TITLE, "Server", ("Seen", "CPU"))
        assert ours(server) == {"Seen": 6, "CPU": 7}
        assert person.work() == before

    def test_renaming_the_server_column_changes_nothing(
        self, server: SheetsServer, sheet: GoogleSheet
    ) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        server.state.tab(77).put(peoples_tab.HEADER, 1, {"userEnteredValue": {"stringValue": "Maschine"}})
        done = len(server.writes)
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        assert len(server.writes) == done

    def test_a_new_servers_tab_is_looked_into(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict",))
        server.state.tab("Servers").title = "March"
        sheet.publish([servers_table(named("gpu1"))])
        cell = server.state.tab(77).cell(peoples_tab.HEADER, 6)
        assert "March!" in server.state.formula(cell)
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict",))
        assert "Servers!" in server.state.formula(server.state.tab(77).cell(peoples_tab.HEADER, 6))

    def test_what_blocks_a_column_is_said(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict", "Users"))
        tab = server.state.tab(77)
        tab.put(20, 6, {"userEnteredValue": {"stringValue": "mine"}})
        tab.put(peoples_tab.HEADER, 7, {"userEnteredValue": {"stringValue": "People"}})
        blocked, typed_over = sheet.errors()
        assert "G21" in blocked
        assert "header of 'Users' (column H)" in typed_over
        done = len(server.writes)
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict", "Users"))
        assert len(server.writes) == done

    def test_their_deleted_header_row_is_found_again(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        tab = server.state.tab(77)
        headers = tab.rows.pop(peoples_tab.HEADER)
        server.state.forget_lost()
        assert "was deleted" in sheet.errors()[0]
        tab.rows[0].cells = {line: cell for line, cell in headers.cells.items() if "formula" not in cell}
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        assert len(ours(server)) == len(SHOWN)
        assert "formula" in tab.cell(0, 6)

    @pytest.mark.parametrize("deed", ["delete ours", "insert before", "move ours away", "delete theirs"])
    def test_disconnecting_never_removes_a_column_of_theirs(
        self, server: SheetsServer, sheet: GoogleSheet, deed: str
    ) -> None:
        """People rearrange columns between the read and the write."""
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict", "Users"))
        tab = server.state.tab(77)
        for place in range(8, 10):
            tab.columns.insert(place, type(tab.columns[0])())
            tab.put(peoples_tab.HEADER, place, {"userEnteredValue": {"stringValue": f"theirs {place}"}})
        person = Person(lambda: server.state)
        deeds: dict[str, Callable[[], object]] = {
            "delete ours": lambda: tab.columns.pop(6),
            "insert before": lambda: tab.columns.insert(2, type(tab.columns[0])()),
            "move ours away": lambda: tab.columns.append(tab.columns.pop(6)),
            "delete theirs": lambda: tab.columns.pop(3),
        }
        before: list[object] = []

        def rearrange() -> None:
            if server.calls[-1].method.endswith("spreadsheets.get") and len(server.calls) > known + 3:
                deeds[deed]()
                server.state.forget_lost()
                before.append(person.work())
                server.before_call = lambda: None

        known = len(server.calls)
        server.before_call = rearrange
        sheet.disconnect()
        assert before == [person.work()]
        assert ours(server) == {}

    def test_our_own_tab_is_no_tab_of_theirs(self, sheet: GoogleSheet) -> None:
        with pytest.raises(NotFoundError, match="own tab"):
            sheet.annotate("Servers", "Server", SHOWN)
