"""Sheetrack's columns beside people's own tab. Pure: from the tab as read to the requests still needed.

Each column is one array formula in the header row that looks up the names of people's key column in a tab of
Sheetrack's. It is written once, into a column inserted for it, so none of people's cells is ever written. The
values then follow the names, however people sort, insert, move, filter or hide.

Developer metadata marks the header row, the key column and each of Sheetrack's columns; a mark moves with its
row or column. Guards precede each request that names a row or column by number: if it was moved or removed
since it was read, Google refuses the whole batch. Google carries out a batch as a whole or not at all.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from gspread.utils import rowcol_to_a1

from backend.sheets.formats import HEADER
from backend.sheets.google.cells import Values, colour
from backend.sheets.google.formulas import LookupTab
from backend.sheets.people import find_header

KEY = "sheetrack-column"
TAB_FIELDS = (
    "sheets(properties(sheetId,title,gridProperties),merges,basicFilter(range),bandedRanges(range),"
    "protectedRanges(protectedRangeId,range),tables(range),"
    "data(rowData(values(userEnteredValue,effectiveValue,formattedValue,userEnteredFormat(numberFormat))),"
    "rowMetadata(developerMetadata),columnMetadata(developerMetadata)))"
)
_WARNING = "Sheetrack shows servers here. Text typed into this column blocks it."

Role = Literal["header", "key", "column"]


@dataclass(frozen=True)
class Mark:
    id: int
    role: Role
    at: int
    """Its row or column now, from 0."""
    title: str = ""
    """Of a column: which column of the lookup tab it shows."""
    protection: int = 0
    """Of a column: the ID of its protected range, which is removed with it."""
    source: str = ""
    """Of a column: where its formula looks. Google adjusts the formula when rows and columns move."""


class PeoplesTab:
    """A tab that people own, as one `spreadsheets.get` of `TAB_FIELDS` shows it."""

    def __init__(self, sheet: Mapping[str, Any]) -> None:
        self.title: str = sheet["properties"]["title"]
        self.sheet_id: int = sheet["properties"].get("sheetId", 0)
        self._sheet = sheet
        data = sheet.get("data", [{}])[0]
        self.rows: list[list[Values]] = [row.get("values", []) for row in data.get("rowData", [])]
        marks = [*_marks(data.get("rowMetadata", [])), *_marks(data.get("columnMetadata", []))]
        self.header = next((mark for mark in marks if mark.role == "header"), None)
        self.key = next((mark for mark in marks if mark.role == "key"), None)
        self.columns = {mark.title: mark for mark in marks if mark.role == "column"}

    def cell(self, row: int, column: int) -> Values:
        cells = self.rows[row] if row < len(self.rows) else []
        return cells[column] if column < len(cells) else {}

    def text(self, row: int, column: int) -> str:
        return str(self.cell(row, column).get("formattedValue", "")).strip()

    @property
    def edge(self) -> int:
        """The first column right of all that people have in the tab."""
        ours = {mark.at for mark in self.columns.values()}
        ends = [
            at + 1
            for row in self.rows
            for at, cell in enumerate(row)
            if cell.get("userEnteredValue") and at not in ours
        ]
        ranges = [*self._sheet.get("merges", [])]
        ranges += [self._sheet["basicFilter"]["range"]] if "basicFilter" in self._sheet else []
        protections = {mark.protection for mark in self.columns.values()}
        ranges += [
            entry["range"]
            for kind in ("bandedRanges", "protectedRanges", "tables")
            for entry in self._sheet.get(kind, [])
            if entry.get("protectedRangeId") not in protections
        ]
        return max([*ends, *(entry.get("endColumnIndex", 0) for entry in ranges)], default=0)

    @property
    def column_count(self) -> int:
        count: int = self._sheet["properties"]["gridProperties"]["columnCount"]
        return count

    def wanted(self, key_column: str, titles: Sequence[str], lookup: LookupTab) -> list[Values]:
        """The next batch of requests towards columns called `titles`; empty once all are there.

        Raises:
            NotFoundError: there is no header `key_column`, or the lookup tab has no such column.
        """
        header, key = self.header, self.key
        if not self.columns or header is None or key is None:
            texts = [[self.text(row, at) for at in range(len(cells))] for row, cells in enumerate(self.rows)]
            row, column = find_header(texts, key_column, self.title)
            if header is None or key is None or (header.at, key.at) != (row, column):
                new = [Mark(_id(), "header", row), Mark(_id(), "key", column)]
                return [*self.removal(), *(self._create(mark) for mark in new)]
        if old := [mark for title, mark in self.columns.items() if title not in titles]:
            return self.column_removal(old)
        guards = [*self._guard(header), *self._guard(key)]
        batch: list[Values] = []
        for title, mark in self.columns.items():
            source = lookup.source(title)
            if mark.source != source or not self.cell(header.at, mark.at).get("userEnteredValue"):
                batch += self._guard(replace(mark, source=source))
                batch.append(self._formula(header.at, mark.at, key.at, lookup, title))
        new_titles = [title for title in titles if title not in self.columns]
        if batch or not new_titles:
            return guards + batch if batch else []
        return guards + self._insertion(header.at, key.at, new_titles, lookup)

    def _insertion(self, header: int, key: int, titles: Sequence[str], lookup: LookupTab) -> list[Values]:
        start = max([self.edge, *(mark.at + 1 for mark in self.columns.values())])
        place = self._dimension("COLUMNS", start, len(titles))
        # New columns inherit no format from people's, except behind the last column, where Google demands it.
        at_end = start >= self.column_count
        batch: list[Values] = [{"insertDimension": {"range": place, "inheritFromBefore": at_end}}]
        for at, title in enumerate(titles, start):
            batch.append(self._formula(header, at, key, lookup, title))
            below = self._range(header + 1, at)
            looks = {"userEnteredFormat": lookup.looks(title)}
            batch.append({"repeatCell": {"range": below, "cell": looks, "fields": "userEnteredFormat"}})
            mark = Mark(_id(), "column", at, title, protection=_id(), source=lookup.source(title))
            protected = {
                "protectedRangeId": mark.protection,
                "range": {"sheetId": self.sheet_id, "startColumnIndex": at, "endColumnIndex": at + 1},
                "description": _WARNING,
                "warningOnly": True,
            }
            batch += [{"addProtectedRange": {"protectedRange": protected}}, self._create(mark)]
        return batch

    def column_removal(self, marks: Sequence[Mark]) -> list[Values]:
        """The requests that remove some of Sheetrack's columns."""
        batch = [request for mark in marks for request in self._guard(mark)]
        places = sorted((mark.at for mark in marks), reverse=True)
        return batch + [{"deleteDimension": {"range": self._dimension("COLUMNS", at)}} for at in places]

    def removal(self) -> list[Values]:
        """The requests that remove everything that Sheetrack added to this tab."""
        marks = [_unmark(mark) for mark in (self.header, self.key) if mark]
        return self.column_removal(list(self.columns.values())) + marks

    def errors(self) -> list[str]:
        """Sentences: what keeps Sheetrack's columns in this tab from showing their values."""
        if not self.columns:
            return []
        if self.header is None or self.key is None:
            return [f"The header row or the server column of {self.title!r} was deleted."]
        found = []
        for title, mark in self.columns.items():
            cell = self.cell(self.header.at, mark.at)
            column = rowcol_to_a1(1, mark.at + 1).rstrip("1")
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

    def _guard(self, mark: Mark) -> list[Values]:
        """Requests that change nothing, and that Google refuses if `mark` is no longer at its place."""
        lookup = {
            "metadataId": mark.id,
            "metadataLocation": {"dimensionRange": self._place(mark.role, mark.at)},
            "locationMatchingStrategy": "EXACT_LOCATION",
        }
        # If it moved, nothing matches here, the mark stays, and Google refuses a second one with its ID.
        batch: list[Values] = [
            {"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": lookup}}},
            self._create(mark),
        ]
        if mark.role == "column":
            # A removed column takes its protection along, and Google refuses to update what does not exist.
            protected = {"protectedRangeId": mark.protection, "description": _WARNING}
            batch.append({"updateProtectedRange": {"protectedRange": protected, "fields": "description"}})
        return batch

    def _create(self, mark: Mark) -> Values:
        value = {key: getattr(mark, key) for key in ("role", "title", "protection", "source")}
        metadata = {
            "metadataId": mark.id,
            "metadataKey": KEY,
            "metadataValue": json.dumps(value),
            "location": {"dimensionRange": self._place(mark.role, mark.at)},
            "visibility": "DOCUMENT",
        }
        return {"createDeveloperMetadata": {"developerMetadata": metadata}}

    def _place(self, role: Role, at: int) -> Values:
        return self._dimension("ROWS" if role == "header" else "COLUMNS", at)

    def _dimension(self, dimension: str, start: int, count: int = 1) -> Values:
        ends = {"startIndex": start, "endIndex": start + count}
        return {"sheetId": self.sheet_id, "dimension": dimension} | ends

    def _range(self, row: int, column: int) -> Values:
        ends = {"startRowIndex": row, "startColumnIndex": column, "endColumnIndex": column + 1}
        return {"sheetId": self.sheet_id} | ends

    def _formula(self, row: int, column: int, key: int, lookup: LookupTab, title: str) -> Values:
        looks = {"textFormat": {"bold": True}, "backgroundColorStyle": colour(HEADER)}
        formula = lookup.formula(title, row, key)
        cell = {"userEnteredValue": {"formulaValue": formula}, "userEnteredFormat": looks}
        start = {"sheetId": self.sheet_id, "rowIndex": row, "columnIndex": column}
        fields = "userEnteredValue,userEnteredFormat"
        return {"updateCells": {"start": start, "rows": [{"values": [cell]}], "fields": fields}}


def _marks(dimensions: Sequence[Mapping[str, Any]]) -> list[Mark]:
    marks = []
    for at, dimension in enumerate(dimensions):
        for entry in dimension.get("developerMetadata", []):
            if entry["metadataKey"] == KEY:
                value = json.loads(entry["metadataValue"])
                marks.append(Mark(id=entry["metadataId"], at=at, **value))
    return marks


def _unmark(mark: Mark) -> Values:
    return {"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": {"metadataId": mark.id}}}}


def _id() -> int:
    return secrets.randbelow(2**31 - 1) + 1
