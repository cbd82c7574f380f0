"""A spreadsheet as Google keeps it: cells that stay with their row and column, formulas that follow moves.

What the batch requests do is written from Google's reference. Where Google refuses, this refuses.
"""

import re
from typing import Any

from gspread.utils import a1_to_rowcol, rowcol_to_a1

Cell = dict[str, Any]
_REFERENCE = re.compile(
    r"(?:(?:'((?:[^']|'')+)'|(\w+))!)?(\$?)([A-Z]{1,3})(\$?)(\d*):(\$?)([A-Z]{1,3})(\$?)(\d*)"
    r"|(?<![A-Za-z])(\$?)([A-Z]{1,3})(\$?)(\d+)(?![\d(])"
)


class RefusedError(Exception):
    """A 400 of Google's."""


class Line:
    """A row or a column, with its properties, which move with it."""

    def __init__(self) -> None:
        self.properties: dict[str, Any] = {}


class Row(Line):
    def __init__(self) -> None:
        super().__init__()
        self.cells: dict[Line, Cell] = {}


class Tab:
    def __init__(self, sheet_id: int, title: str, rows: int = 1000, columns: int = 26) -> None:
        self.id, self.title = sheet_id, title
        self.rows = [Row() for _ in range(rows)]
        self.columns = [Line() for _ in range(columns)]
        self.grid: dict[str, Any] = {}
        self.rules: list[dict[str, Any]] = []
        self.merges: list[dict[str, int]] = []
        self.protections: dict[int, dict[str, Any]] = {}
        self.is_locked = False
        """Whether only its owner may edit it."""

    def resize(self, rows: int, columns: int) -> None:
        self.rows = self.rows[:rows] + [Row() for _ in range(rows - len(self.rows))]
        self.columns = self.columns[:columns] + [Line() for _ in range(columns - len(self.columns))]

    def cell(self, row: int, column: int) -> Cell:
        return self.rows[row].cells.get(self.columns[column], {})

    def put(self, row: int, column: int, cell: Cell) -> None:
        if cell:
            self.rows[row].cells[self.columns[column]] = cell
        else:
            self.rows[row].cells.pop(self.columns[column], None)

    def used(self) -> tuple[int, int]:
        """How many rows and columns hold anything."""
        filled = [
            (r, c)
            for r, row in enumerate(self.rows)
            if row.cells
            for c, line in enumerate(self.columns)
            if line in row.cells
        ]
        return max((r for r, _ in filled), default=-1) + 1, max((c for _, c in filled), default=-1) + 1

    def lines(self, dimension: str) -> list[Any]:
        return self.rows if dimension == "ROWS" else self.columns


class Reference:
    """`A3:A`, `Servers!$A:$K`, `$N2`: held by the rows and columns themselves."""

    def __init__(self, state: "Spreadsheet", home: Tab, match: re.Match[str]) -> None:
        quoted, plain, *corners = match.groups()
        name = quoted.replace("''", "'") if quoted else plain
        self.named = name is not None
        self.tab = state.tab(name) if name is not None else home
        first = corners[:4] if corners[1] else corners[8:]
        self.ends = [self._end(first)] + ([self._end(corners[4:8])] if corners[1] else [])

    def _end(self, corner: list[str]) -> tuple[str, Line, str, Line | None]:
        fixed_column, letters, fixed_row, number = corner
        _, column = a1_to_rowcol(f"{letters}1")
        if column > len(self.tab.columns) or (number and int(number) > len(self.tab.rows)):
            raise RefusedError(f"{letters}{number} lies outside {self.tab.title}")
        row = self.tab.rows[int(number) - 1] if number else None
        return fixed_column, self.tab.columns[column - 1], fixed_row, row

    def text(self, state: "Spreadsheet") -> str:
        corners = []
        for fixed_column, column, fixed_row, row in self.ends:
            gone = self.tab not in state.tabs or column not in self.tab.columns
            if gone or (row is not None and row not in self.tab.rows):
                return "#REF!"
            letters = rowcol_to_a1(1, self.tab.columns.index(column) + 1)[:-1]
            number = "" if row is None else str(self.tab.rows.index(row) + 1)
            corners.append(f"{fixed_column}{letters}{fixed_row}{number}")
        title = (
            self.tab.title if self.tab.title.isidentifier() else "'" + self.tab.title.replace("'", "''") + "'"
        )
        return (f"{title}!" if self.named else "") + ":".join(corners)


class Spreadsheet:
    """The spreadsheet of a lab in Berlin: decimal commas, semicolons between arguments."""

    def __init__(self) -> None:
        self.title, self.locale, self.zone = "Our servers", "de_DE", "Europe/Berlin"
        self.tabs = [Tab(0, "Sheet1")]
        self.marks: dict[int, tuple[dict[str, Any], Tab | None, Line | None]] = {}

    def tab(self, key: str | int) -> Tab:
        """By title, as formulas and ranges name it, or by ID."""
        for tab in self.tabs:
            if tab.id == key or (isinstance(key, str) and tab.title.casefold() == key.casefold()):
                return tab
        raise RefusedError(
            f"Unable to parse range: {key}" if isinstance(key, str) else f"No grid with id: {key}"
        )

    def parse(self, tab: Tab, formula: str) -> list[str | Reference]:
        """A formula as text and references, refused where it would not hold in every locale."""
        parts: list[str | Reference] = []
        for at, piece in enumerate(formula.split('"')):
            if at % 2:
                parts.append(f'"{piece}"')
                continue
            if re.search(r"[,{}\\]", piece):
                raise RefusedError(f"Formula parse error: {formula}")
            end = 0
            for match in _REFERENCE.finditer(piece):
                parts += [piece[end : match.start()], Reference(self, tab, match)]
                end = match.end()
            parts.append(piece[end:])
        return parts

    def formula(self, cell: Cell) -> str:
        parts: list[str | Reference] = cell["formula"]
        return "".join(part if isinstance(part, str) else part.text(self) for part in parts)

    def mark_of(self, number: int) -> dict[str, Any]:
        """A developer metadata with its place as it is now."""
        content, tab, line = self.marks[number]
        location: dict[str, Any] = {"spreadsheet": True, "locationType": "SPREADSHEET"}
        if tab is not None and line is None:
            location = {"sheetId": tab.id, "locationType": "SHEET"}
        elif tab is not None and line is not None:
            kind = "ROWS" if line in tab.rows else "COLUMNS"
            at = tab.lines(kind).index(line)
            place = {"sheetId": tab.id, "dimension": kind, "startIndex": at, "endIndex": at + 1}
            location = {"dimensionRange": place, "locationType": kind.removesuffix("S")}
        return {**content, "location": location}

    def forget_lost(self) -> None:
        """Marks and protections go with what they stand on."""
        self.marks = {
            number: (content, tab, line)
            for number, (content, tab, line) in self.marks.items()
            if tab is None or (tab in self.tabs and (line is None or line in tab.rows or line in tab.columns))
        }
        for tab in self.tabs:
            tab.protections = {
                number: entry
                for number, entry in tab.protections.items()
                if not entry["lines"] or any(line in tab.columns for line in entry["lines"])
            }
