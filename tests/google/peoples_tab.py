"""A person at work in their own tab, who finds everything by its text."""

from collections.abc import Callable
from random import Random
from typing import Any

from tests.google.state import Cell, Line, Row, Spreadsheet, Tab

TITLE = "Reservations"
HEADER = 3
"""The row of the headers, from 0; a merged heading and a blank row stand above."""
HEADERS = ("Purpose", "Server", "Who", "From", "Until")


def reserve(state: Spreadsheet, servers: list[str]) -> None:
    """A list of reservations as labs keep them, with all that makes a tab awkward."""
    tab = Tab(77, TITLE, rows=60, columns=8)
    state.tabs.insert(0, tab)
    tab.put(0, 0, _cell("Who uses what (please keep up to date!)"))
    tab.merges.append(
        {"sheetId": 77, "startRowIndex": 0, "endRowIndex": 1, "startColumnIndex": 0, "endColumnIndex": 6}
    )
    tab.grid |= {"frozenRowCount": 2, "frozenColumnCount": 1}
    for place, header in enumerate(HEADERS):
        tab.put(HEADER, place, _cell(header, bold=True))
    for at, server in enumerate(servers):
        row = HEADER + 1 + at + at // 5  # every fifth row is followed by a blank one
        for place, text in enumerate(
            (f"=not a formula {at}", server, f"person {at}", "2026-03-01", "2026-03-31")
        ):
            tab.put(row, place, _cell(text))
    tab.columns[3].properties["hiddenByUser"] = True


def _cell(text: str, *, bold: bool = False) -> Cell:
    return {"userEnteredValue": {"stringValue": text}, "userEnteredFormat": {"textFormat": {"bold": bold}}}


class Person:
    def __init__(self, state: Callable[[], Spreadsheet], seed: int = 1, *, renames: bool = True) -> None:
        self._renames = renames
        self._state = state
        self._random = Random(seed)
        self._done = 0

    @property
    def tab(self) -> Tab:
        return next(tab for tab in self._state().tabs if tab.id == 77)

    def do_something(self) -> None:
        actions: tuple[Callable[[], None], ...] = (
            self.sort,
            self.insert_row,
            self.insert_column,
            self.move_column,
        )
        actions += (self.insert_row_on_top, self.hide, self.move_row, self.add_tab)
        actions += (self.rename_column, self.rename_tab) if self._renames else ()
        self._done += 1
        self._random.choice(actions)()

    def insert_row(self) -> None:
        """And writes a new reservation into it."""
        theirs = self._rows()
        row = self.tab.rows.index(self._random.choice(theirs)) + 1
        self.tab.rows.insert(row, Row())
        server = self._text(self._random.choice(theirs), self._columns()[1])
        for place, text in enumerate((f"more {self._done}", server or "unknown", "someone new")):
            self.tab.rows[row].cells[self._columns()[place]] = _cell(text)

    def insert_row_on_top(self) -> None:
        self.tab.rows.insert(0, Row())

    def insert_column(self) -> None:
        """Before one of theirs."""
        at = self.tab.columns.index(self._random.choice(self._columns()))
        self.tab.columns.insert(at, Line())

    def move_column(self) -> None:
        """One of theirs before another of theirs."""
        moved, before = self._random.sample(self._columns(), 2)
        self.tab.columns.remove(moved)
        self.tab.columns.insert(self.tab.columns.index(before), moved)

    def move_row(self) -> None:
        moved, before = self._random.sample(self._rows(), 2)
        self.tab.rows.remove(moved)
        self.tab.rows.insert(self.tab.rows.index(before), moved)

    def sort(self) -> None:
        """Everything below the header, by one of their columns."""
        rows, column = self._rows(), self._random.choice(self._columns())
        contents = sorted((row.cells for row in rows), key=lambda cells: _say(cells.get(column, {})))
        for row, cells in zip(rows, contents, strict=True):
            row.cells = cells

    def rename_column(self) -> None:
        header, column = self._header(), self._random.choice(self._columns())
        header.cells[column] = _cell(f"renamed {self._done}", bold=True)

    def rename_tab(self) -> None:
        self.tab.title = f"Reservations {self._done}"

    def add_tab(self) -> None:
        self._state().tabs.insert(0, Tab(100_000 + self._done, f"Notes {self._done}", 5, 5))

    def hide(self) -> None:
        self._random.choice(self._rows()).properties["hiddenByUser"] = True

    def _header(self) -> Row:
        """The first row that is full."""
        return next(row for row in self.tab.rows if sum(_is_theirs(cell) for cell in row.cells.values()) >= 5)

    def _columns(self) -> list[Line]:
        """Theirs, as they named them first to last."""
        header = self._header()
        return [line for line in self.tab.columns if line in header.cells and _is_theirs(header.cells[line])]

    def _rows(self) -> list[Row]:
        start = self.tab.rows.index(self._header()) + 1
        end = max(at for at, row in enumerate(self.tab.rows) if any(map(_is_theirs, row.cells.values())))
        return self.tab.rows[start : end + 1]

    def _text(self, row: Row, column: Line) -> str:
        return _say(row.cells.get(column, {}))

    def work(self) -> list[list[Any]]:
        """All that is theirs, row by row, without the columns that are Sheetrack's."""
        state, tab = self._state(), self.tab
        ours = {line for content, _, line in state.marks.values() if '"column"' in content["metadataValue"]}
        theirs = [line for line in tab.columns if line not in ours]
        rows = [[row.cells.get(line, {}) for line in theirs] for row in tab.rows]
        return [[tab.title, tab.merges, tab.grid, *(line.properties for line in theirs)], *rows]


def _is_theirs(cell: Cell) -> bool:
    return "stringValue" in cell.get("userEnteredValue", {})


def _say(cell: Cell) -> str:
    return str(cell.get("userEnteredValue", {}).get("stringValue", ""))
