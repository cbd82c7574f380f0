"""Notes about runs in a tab that people own."""

import sqlalchemy as sa

from backend.jobs.marks import Mark
from backend.sheets.content import TabContent
from backend.sheets.workbook import Workbook
from backend.tabs.sheet_notes import SheetNotes, notes_in


def test_notes_follow_their_runs_wherever_the_columns_and_rows_stand() -> None:
    content = TabContent(
        [
            ["Our notes"],
            ["Who", "Notes", "Run"],
            ["kim", " lr too high ", "r2"],
            ["lee", "", "r3"],
            ["", "wide", "r1"],
        ]
    )
    assert notes_in(content) == {"r2": "lr too high", "r1": "wide"}
    assert notes_in(TabContent([["Run", "Accuracy"], ["r1", 0.9]])) == {}
    assert notes_in(TabContent([])) == {}


def test_the_tab_is_read_and_joins_what_was_noted_elsewhere(database: sa.Engine, workbook: Workbook) -> None:
    changed: list[set[str]] = []
    marks = {"r1": Mark(note="from the page", is_starred=True)}
    notes = SheetNotes(database, lambda: workbook, "Notes.csv", lambda: marks, changed.append)
    notes.refresh()
    assert (changed, notes.marks()) == ([], marks)
    file = workbook._peoples_tabs / "Notes.csv"
    file.parent.mkdir(parents=True)
    text = "Run,Notes\nr1,wide\nr2,=1+1\n"
    file.write_text(text)
    notes.refresh()
    notes.refresh()
    assert changed == [{"r1", "r2"}]
    assert notes.marks() == {
        "r1": Mark(note="wide · from the page", is_starred=True),
        "r2": Mark(note="=1+1"),
    }
    assert file.read_text() == text
    elsewhere = SheetNotes(database, lambda: workbook, "Notes.csv", lambda: marks, changed.append)
    assert elsewhere.marks() == notes.marks()  # as they were read last
    file.unlink()
    elsewhere.refresh()
    assert changed[1:] == [{"r1", "r2"}]
    assert notes.marks() == marks
