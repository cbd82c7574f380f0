"""The lookup formulas in people's tabs, and the lookup tab that they depend on. Pure."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from zlib import crc32

from gspread.utils import a1_to_rowcol, rowcol_to_a1

from backend.errors import NotFoundError
from backend.sheets.google.cells import Values
from backend.sheets.google.grid import IN_WORDS

_OLD = "1/288"  # five minutes of a day
_TIME = "DATE_TIME"
_EDITION = 2
"""Another number has every formula written again."""
_FORM = re.compile(  # Google answers with the separators of the spreadsheet's locale
    r"=ARRAYFORMULA\(IF\(ROW\((?P<names>[^()]*)\)=ROW\([^()]*\)[;,] ?"
    r'"(?P<title>(?:[^"]|"")*)"[;,] ?IF\(TRIM\((?P=names)\)=""[;,].*\)'
)


class OurFormula(NamedTuple):
    """What one of Sheetrack's formulas in people's tabs says."""

    title: str
    key: int | None
    """The column of the names, from 0; None where it is gone."""


def read_formula(text: str) -> OurFormula | None:
    """None: the formula is not Sheetrack's."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    first = found["names"].split(":", maxsplit=1)[0].replace("$", "")
    key = a1_to_rowcol(first)[1] - 1 if re.fullmatch(r"[A-Z]+\d+", first) else None
    return OurFormula(found["title"].replace('""', '"'), key)


class LookupTab:
    """The tab of Sheetrack's that the formulas look into; its first row is its header."""

    def __init__(self, name: str, sheet: Mapping[str, Any], spellings: Mapping[str, str]) -> None:
        """`name` is what Sheetrack calls it; `spellings` are people's names for its rows."""
        self.name = name
        self._spellings = sorted(spellings.items())
        title: str = sheet["properties"]["title"]
        self._reference = title if title.isidentifier() else "'" + title.replace("'", "''") + "'"
        self._sheet_id: int = sheet["properties"]["sheetId"]
        rows = [row.get("values", []) for row in sheet.get("data", [{}])[0].get("rowData", [])]
        self._titles = [cell.get("formattedValue", "") for cell in rows[0]] if rows else []
        self._below: list[list[Values]] = rows[1:]

    def source(self, title: str) -> str:
        """All about this tab that a formula depends on; another text means that it must be written again."""
        shape = self.looks(title).get("numberFormat", {}).get("type", "")
        names = f" {crc32(repr(self._spellings).encode()):x}" if self._spellings else ""
        return f"{self._sheet_id} {self._place(title)} {_EDITION} {self._newest()} {shape}{names}"

    def formula(self, title: str, header: int, key: int) -> str:
        """Shows `title` in its own row and, below, the value for each name in the key column.

        Below the last name it leaves the cells blank, so that forms and scripts append rows where people do.
        Once nothing has refreshed this tab for five minutes, words say so and numbers go.

        Raises:
            NotFoundError: the lookup tab has no such column.
        """
        names = f"{rowcol_to_a1(header + 1, key + 1)}:{rowcol_to_a1(1, key + 1).rstrip('1')}"
        place = self._place(title) + 1
        last = rowcol_to_a1(1, place).rstrip("1")
        exact = f"TRIM({names})"
        for spelling, name in self._spellings:
            exact = f"IF(TRIM({names})={_quoted(spelling)};{_quoted(name)};{exact})"
        # VLOOKUP would read these characters in a name as wildcards.
        for sign in "~*?":
            exact = f'SUBSTITUTE({exact};"{sign}";"~{sign}")'
        value = f"VLOOKUP({exact};{self._reference}!$A:${last};{place};FALSE)"
        shape = self.looks(title).get("numberFormat", {}).get("type")
        if (newest := self._newest()) and shape != _TIME:
            age = f"(NOW()-MAX({self._reference}!{newest}))"
            minutes = f"ROUND({age}*1440)"
            old = "" if shape else f'"not updated for "&{minutes}&" min: "&{value}'
            value = f"IF({age}>{_OLD};{old};{value})"
        quoted = _quoted(title)
        first = names.split(":", maxsplit=1)[0]
        return f'=ARRAYFORMULA(IF(ROW({names})=ROW({first});{quoted};IF(TRIM({names})="";;IFERROR({value}))))'

    def _newest(self) -> str:
        """The column of times, as a range; empty without one. Its newest time is when the tab was refreshed."""
        for row in self._below:
            for place, cell in enumerate(row):
                if cell.get("userEnteredFormat", {}).get("numberFormat", {}).get("type") == _TIME:
                    column = rowcol_to_a1(1, place + 1).rstrip("1")
                    return f"${column}:${column}"
        return ""

    def looks(self, title: str) -> Values:
        """How the first known number of a column is written."""
        place = self._place(title)
        cells = (row[place].get("userEnteredFormat", {}) for row in self._below if place < len(row))
        shape = next((looks["numberFormat"] for looks in cells if "numberFormat" in looks), None)
        return {"numberFormat": shape} if shape else {}

    def _place(self, title: str) -> int:
        for name in (title + IN_WORDS, title):
            if name in self._titles:
                return self._titles.index(name)
        known = ", ".join(name for name in self._titles if name and not name.endswith(IN_WORDS))
        raise NotFoundError(f"The {self.name} tab has no column {title!r}.", f"It has {known}.")


def _quoted(text: str) -> str:
    """A text in a formula."""
    return '"' + text.replace('"', '""') + '"'
