"""What a lab's hands do to its own tab, and to Sheetrack's columns there."""

from datetime import timedelta
from pathlib import Path

import pytest

from backend.sheets.google.api import ProtectedError
from backend.sheets.google.sheet import GoogleSheet
from backend.tabs.servers import servers_table
from tests import examples
from tests.google import peoples_tab
from tests.google.evaluate import evaluate
from tests.google.peoples_tab import Person
from tests.google.server import SheetsServer
from tests.sheets.google.columns import copied, ours
from tests.sheets.made_tables import SHOWN, named


class TestHands:
    @pytest.fixture(autouse=True)
    def _reserved(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        peoples_tab.reserve(server.state, ["gpu1", "gpu2"])
        sheet.publish([servers_table(named("gpu1", "gpu2"))])

    def typed_into(self, server: SheetsServer, row: int, column: int) -> None:
        server.state.tab(77).put(row, column, {"userEnteredValue": {"stringValue": "mine"}})

    def mine(self, server: SheetsServer) -> int:
        """How many cells still hold what was typed into our columns."""
        return sum(
            cell.get("userEnteredValue") == {"stringValue": "mine"}
            for row in server.state.tab(77).rows
            for cell in row.cells.values()
        )

    def test_other_spellings_of_a_name_show_it_too(
        self, server: SheetsServer, sheet: GoogleSheet, tmp_path: Path
    ) -> None:
        tab = server.state.tab(77)
        for at, text in enumerate(('"big" gpu1 (10.0.0.1)', "GPU 2*", "gpu3 (new)"), peoples_tab.HEADER + 1):
            tab.put(at, 1, {"userEnteredValue": {"stringValue": text}})
        spellings = {'"big" gpu1 (10.0.0.1)': "gpu1", "GPU 2*": "gpu2"}
        for known in ({}, spellings, spellings):
            sheet.annotate(peoples_tab.TITLE, "Server", SHOWN, known)
        before = len(server.writes)
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN, spellings)
        assert len(server.writes) == before
        [tabs] = evaluate(server.state, tmp_path, examples.NOON)
        rows = tabs[peoples_tab.TITLE]
        assert [row[6] for row in rows[peoples_tab.HEADER :][:4]] == [
            "Verdict",
            "busy gpu1",
            "busy gpu2",
            None,
        ]

    def test_what_is_typed_into_our_columns_outlives_everything(
        self, server: SheetsServer, sheet: GoogleSheet
    ) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        tab = server.state.tab(77)
        self.typed_into(server, 20, 7)  # below the formula of GPUs
        self.typed_into(server, 0, 8)  # above that of the free memory
        self.typed_into(server, peoples_tab.HEADER, 9)  # over that of Users
        tab.put(30, 10, {"note": "mine too"})  # in Seen
        others = ("Verdict", "CPU")
        for attempt in range(2):
            sheet.annotate(peoples_tab.TITLE, "Server", others)
            assert self.mine(server) == 3
            assert set(ours(server)) == {*SHOWN[1:], *others}, attempt
        assert any("Text in H21 blocks the column 'GPUs'" in error for error in sheet.errors())

        tab.put(peoples_tab.HEADER, 0, {"userEnteredValue": {"stringValue": "Machine"}})
        sheet.annotate(peoples_tab.TITLE, "Machine", SHOWN)
        assert self.mine(server) == 3
        key_of = server.state.formula(tab.cell(peoples_tab.HEADER, 7))
        assert "ROW(A4:A)" in key_of, "the column follows the new key column all the same"

        server.state.tabs.remove(server.state.tab("Servers"))
        server.state.forget_lost()
        sheet.publish([servers_table(named("gpu1"))])
        sheet.annotate(peoples_tab.TITLE, "Machine", SHOWN)
        assert self.mine(server) == 3

        left = sheet.disconnect()
        assert self.mine(server) == 3
        assert [sentence.split(" stays")[0] for sentence in left] == [
            f"Column {column} of 'Reservations'" for column in "HIJK"
        ]
        assert "because I1 is" in left[1]
        assert ours(server) == {}
        assert server.state.marks == {}
        assert tab.protections == {}
        assert not any("formula" in cell for row in tab.rows for cell in row.cells.values())

    def test_a_column_goes_once_what_was_typed_is_cleared(
        self, server: SheetsServer, sheet: GoogleSheet
    ) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict", "Users"))
        self.typed_into(server, 20, 7)
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict",))
        server.state.tab(77).put(20, 7, {})
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict",))
        assert ours(server) == {"Verdict": 6}

    @pytest.mark.parametrize("then", ["undo", "other columns", "another Servers tab"])
    def test_without_their_warning_columns_are_still_ours(
        self, server: SheetsServer, sheet: GoogleSheet, then: str
    ) -> None:
        person = Person(lambda: server.state)
        before = person.work()
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict", "Users"))
        server.state.tab(77).protections.clear()
        done = len(server.writes)
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict", "Users"))
        assert len(server.writes) == done, "nothing is to be done, so nothing is written"
        if then == "other columns":
            sheet.annotate(peoples_tab.TITLE, "Server", ("Seen",))
            assert ours(server) == {"Seen": 6}
        elif then == "another Servers tab":
            server.state.tab("Servers").title = "March"
            sheet.publish([servers_table(named("gpu1"))])
            sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict", "Users"))
            assert "Servers!" in server.state.formula(server.state.tab(77).cell(peoples_tab.HEADER, 6))
        assert sheet.disconnect() == []
        assert person.work() == before
        assert len(person.tab.columns) == 8

    def test_a_copy_of_the_tab_without_our_columns_in_the_original(
        self, server: SheetsServer, sheet: GoogleSheet
    ) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict", "Users"))
        tab = server.state.tab(77)
        copied(server, tab, 78)
        for _ in range(2):
            del tab.columns[6]
        server.state.forget_lost()
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict", "Users"))
        assert len(tab.columns) == 10
        assert sheet.errors() == []
        sheet.disconnect()
        assert [len(one.columns) for one in (tab, server.state.tab(78))] == [8, 8]
        assert server.state.marks == {}

    @pytest.mark.parametrize("warned", [True, False])
    def test_columns_whose_marks_are_gone_are_adopted_again(
        self, server: SheetsServer, sheet: GoogleSheet, warned: bool
    ) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        before = ours(server)
        tab = server.state.tab(77)
        server.state.marks = {n: mark for n, mark in server.state.marks.items() if mark[1] is not tab}
        if not warned:
            tab.protections.clear()
        assert ours(server) == {}
        for _ in range(2):
            sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
            assert ours(server) == before
        assert len(tab.columns) == 8 + len(SHOWN)
        server.state.marks.clear()
        sheet.disconnect()
        assert len(tab.columns) == 8

    def test_a_copy_that_people_made_of_a_column_is_theirs(
        self, server: SheetsServer, sheet: GoogleSheet
    ) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict",))
        tab = server.state.tab(77)
        tab.put(peoples_tab.HEADER, 8, dict(tab.cell(peoples_tab.HEADER, 6)))
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict",))
        sheet.disconnect()
        assert "formula" in tab.cell(peoples_tab.HEADER, 7)

    @pytest.mark.parametrize(
        "theirs",
        [
            {"userEnteredFormat": {"backgroundColorStyle": {"rgbColor": {"red": 1}}}},
            {"userEnteredFormat": {"borders": {"top": {"style": "SOLID"}}}},
            {"note": "ask kim"},
            {"dataValidation": {"condition": {"type": "BOOLEAN"}}},
        ],
        ids=["painted", "bordered", "note", "validation"],
    )
    def test_columns_stand_right_of_everything(
        self, server: SheetsServer, sheet: GoogleSheet, theirs: dict[str, object]
    ) -> None:
        tab = server.state.tab(77)
        tab.put(12, 7, theirs)
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict",))
        assert ours(server) == {"Verdict": 8}
        assert tab.cell(12, 7) == theirs
        white = {
            "userEnteredFormat": {"backgroundColorStyle": {"rgbColor": {"red": 1, "green": 1, "blue": 1}}}
        }
        tab.put(12, 7, white)
        sheet.disconnect()
        sheet.publish([servers_table(named("gpu1"))])
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict",))
        assert ours(server) == {"Verdict": 6}

    def test_a_protected_header_is_tried_seldom(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        server.state.tab(77).is_locked = True
        now = [1000.0]
        sheet._clock = lambda: now[0]
        before = len(server.calls)
        for minute in range(10):
            now[0] = 1000.0 + 60 * minute
            with pytest.raises(ProtectedError, match="protection does not let Sheetrack write"):
                sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        assert len(server.calls) - before <= 6
        server.state.tab(77).is_locked = False
        now[0] += 61
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        assert len(ours(server)) == len(SHOWN)

    def test_a_dead_backend_shows_beside_the_list_and_below_it_all_is_blank(
        self, server: SheetsServer, sheet: GoogleSheet, tmp_path: Path
    ) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        tab = server.state.tab(77)
        for at in range(6, 6 + len(SHOWN)):
            text = server.state.formula(tab.cell(peoples_tab.HEADER, at))
            assert '=""' + ";;IFERROR(" in text.replace(" ", ""), "blank, and no empty text"
            assert text.endswith("))))")
        expected = {4: "busy gpu1", 6: "not updated for 6 min: busy gpu1"}
        moments = [examples.NOON + timedelta(minutes=minutes) for minutes in expected]
        at_each = evaluate(server.state, tmp_path, *moments)
        for (minutes, verdict), tabs in zip(expected.items(), at_each, strict=True):
            shown = tabs[peoples_tab.TITLE][peoples_tab.HEADER + 1][6:]
            assert shown[0] == verdict
            assert (shown[2] is None) == (minutes > 5), "a number of then is none of now"
            assert shown[4] is not None, "when it was"
