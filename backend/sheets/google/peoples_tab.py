"""A tab that people own, as Google shows it: their cells, and the columns of Sheetrack's among them. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from gspread.utils import rowcol_to_a1

from backend.sheets.google.cells import Values
from backend.sheets.google.formulas import OurFormula, read_formula
from backend.sheets.google.marks import Mark, read_marks

TAB_FIELDS = (
    "sheets(properties(sheetId,title,gridProperties),merges,basicFilter(range),bandedRanges(range),"
    "protectedRanges(protectedRangeId,range,description),tables(range),conditionalFormats(ranges),"
    "data(rowData(values(userEnteredValue,effectiveValue,formattedValue,note,dataValidation(condition(type)),"
    "userEnteredFormat(numberFormat,backgroundColorStyle,borders))),"
    "rowMetadata(developerMetadata),columnMetadata(developerMetadata)))"
)
WARNING = "Sheetrack shows servers here. Text typed into this column blocks it."


class PeoplesTab:
    """A tab that people own, as one `spreadsheets.get` of `TAB_FIELDS` shows it."""

    def __init__(self, sheet: Mapping[str, Any]) -> None:
        self.title: str = sheet["properties"]["title"]
        self.sheet_id: int = sheet["properties"].get("sheetId", 0)
        self._sheet = sheet
        data = sheet.get("data", [{}])[0]
        self.rows: list[list[Values]] = [row.get("values", []) for row in data.get("rowData", [])]
        self._protections: dict[int, Mapping[str, Any]] = {
            entry["protectedRangeId"]: entry for entry in sheet.get("protectedRanges", [])
        }
        marks = [*read_marks(data.get("rowMetadata", [])), *read_marks(data.get("columnMetadata", []))]
        self.header = next((mark for mark in marks if mark.role == "header"), None)
        self.key = next((mark for mark in marks if mark.role == "key"), None)
        self.ours = [
            replace(mark, protection=self._protection_of(mark)) for mark in marks if mark.role == "column"
        ]
        """The marks of Sheetrack's columns."""
        self.columns = {mark.title: mark for mark in reversed(self.ours)}

    def left(self) -> list[str]:
        """Sentences: which of Sheetrack's columns stay after `removal`, as people typed into them."""
        return [
            f"Column {_letters(mark.at)} of {self.title!r} stays, because {self.typed(mark)} is not Sheetrack's."
            for mark in self.ours
            if self.typed(mark)
        ]

    def errors(self) -> list[str]:
        """Sentences: what keeps Sheetrack's columns in this tab from showing their values."""
        if not self.ours:
            return []
        if self.header is None or self.key is None:
            return [f"The header row or the server column of {self.title!r} was deleted."]
        found = []
        for mark in self.ours:
            title, column = mark.title, _letters(mark.at)
            cell = self.cell(self.header.at, mark.at)
            if "formulaValue" not in cell.get("userEnteredValue", {}):
                found.append(f"The formula in the header of {title!r} (column {column}) was overwritten.")
                continue
            rows = range(self.header.at + 1, len(self.rows))
            typed = [row + 1 for row in rows if "userEnteredValue" in self.cell(row, mark.at)]
            if typed:
                found.append(f"Text in {column}{typed[0]} blocks the column {title!r}: clear that cell.")
            elif "errorValue" in cell.get("effectiveValue", {}):
                found.append(f"The formula of {title!r} (column {column}) cannot be computed.")
        return found

    def typed(self, mark: Mark) -> str:
        """The first cell of a column of Sheetrack's that people filled, such as `G21`; empty: none."""
        for row, cells in enumerate(self.rows):
            cell = cells[mark.at] if mark.at < len(cells) else {}
            if cell.get("note") or ("userEnteredValue" in cell and formula_of(cell) is None):
                return rowcol_to_a1(row + 1, mark.at + 1)
        return ""

    def cell(self, row: int, column: int) -> Values:
        cells = self.rows[row] if row < len(self.rows) else []
        return cells[column] if column < len(cells) else {}

    def text(self, row: int, column: int) -> str:
        return str(self.cell(row, column).get("formattedValue", "")).strip()

    @cached_property
    def edge(self) -> int:
        """The first column right of all that people have in the tab: cells, looks, notes, rules and areas."""
        ours = {mark.at for mark in self.ours}
        ends = [
            at + 1 for row in self.rows for at, cell in enumerate(row) if at not in ours and _is_used(cell)
        ]
        ranges = [*self._sheet.get("merges", [])]
        ranges += [self._sheet["basicFilter"]["range"]] if "basicFilter" in self._sheet else []
        ranges += [place for rule in self._sheet.get("conditionalFormats", []) for place in rule["ranges"]]
        protections = {mark.protection for mark in self.ours}
        ranges += [
            entry.get("range", {})
            for kind in ("bandedRanges", "protectedRanges", "tables")
            for entry in self._sheet.get(kind, [])
            if entry.get("protectedRangeId") not in protections
        ]
        return max([*ends, *(entry.get("endColumnIndex", 0) for entry in ranges)], default=0)

    @property
    def column_count(self) -> int:
        count: int = self._sheet["properties"]["gridProperties"]["columnCount"]
        return count

    def formulas_in(self, column: int) -> list[int]:
        """The rows that hold a formula of Sheetrack's."""
        return [row for row in range(len(self.rows)) if formula_of(self.cell(row, column))]

    def _protection_of(self, mark: Mark) -> int:
        """The ID of the protection that stands on a column now: a copied tab has others; 0: there is none."""
        return mark.protection if mark.protection in self._protections else self.protection_at(mark.at)

    def protection_at(self, column: int) -> int:
        for number, entry in self._protections.items():
            place = entry.get("range", {})
            ends = (place.get("startColumnIndex", 0), place.get("endColumnIndex"))
            if entry.get("description") == WARNING and ends == (column, column + 1):
                return number
        return 0


def formula_of(cell: Values) -> OurFormula | None:
    formula = cell.get("userEnteredValue", {}).get("formulaValue")
    return read_formula(formula) if formula else None


def _is_used(cell: Values) -> bool:
    """Whether people would see or miss something where this cell is."""
    looks = cell.get("userEnteredFormat", {})
    paint = looks.get("backgroundColorStyle", {})
    is_painted = bool(paint) and any(value < 1 for value in _channels(paint))
    return bool(
        cell.get("userEnteredValue") or cell.get("note") or cell.get("dataValidation")
        or looks.get("borders") or is_painted
    )  # fmt: skip


def _channels(paint: Mapping[str, Any]) -> list[float]:
    """Red, green and blue, which Google leaves out where they are 0; a colour of the theme counts as paint."""
    if "rgbColor" not in paint:
        return [0] if paint.get("themeColor") != "BACKGROUND" else [1]
    return [paint["rgbColor"].get(name, 0) for name in ("red", "green", "blue")]


def _letters(column: int) -> str:
    return rowcol_to_a1(1, column + 1).rstrip("1")
