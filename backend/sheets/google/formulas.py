"""The lookup formulas in people's tabs, and the lookup tab that they depend on. Pure."""

from collections.abc import Mapping
from typing import Any

from gspread.utils import rowcol_to_a1

from backend.errors import NotFoundError
from backend.sheets.google.cells import Values
from backend.sheets.google.grid import IN_WORDS


class LookupTab:
    """The tab of Sheetrack's that the formulas look into; its first row is its header."""

    def __init__(self, name: str, sheet: Mapping[str, Any]) -> None:
        """`name` is what Sheetrack calls it."""
        self.name = name
        title: str = sheet["properties"]["title"]
        self._reference = title if title.isidentifier() else "'" + title.replace("'", "''") + "'"
        self._sheet_id: int = sheet["properties"]["sheetId"]
        rows = [row.get("values", []) for row in sheet.get("data", [{}])[0].get("rowData", [])]
        self._titles = [cell.get("formattedValue", "") for cell in rows[0]] if rows else []
        self._below: list[list[Values]] = rows[1:]

    def source(self, title: str) -> str:
        """All about this tab that a formula depends on; another text means that it must be written again."""
        return f"{self._sheet_id} {self._place(title)}"

    def formula(self, title: str, header: int, key: int) -> str:
        """Shows `title` in its own row and, below, the value for each name in the key column.

        Raises:
            NotFoundError: the lookup tab has no such column.
        """
        names = f"{rowcol_to_a1(header + 1, key + 1)}:{rowcol_to_a1(1, key + 1).rstrip('1')}"
        place = self._place(title) + 1
        last = rowcol_to_a1(1, place).rstrip("1")
        # VLOOKUP would read these characters in a name as wildcards.
        exact = f"TRIM({names})"
        for sign in "~*?":
            exact = f'SUBSTITUTE({exact};"{sign}";"~{sign}")'
        look_up = f"VLOOKUP({exact};{self._reference}!$A:${last};{place};FALSE)"
        quoted = '"' + title.replace('"', '""') + '"'
        first = names.split(":", maxsplit=1)[0]
        return (
            f"=ARRAYFORMULA(IF(ROW({names})=ROW({first});{quoted};"
            f'IF(TRIM({names})="";"";IFERROR({look_up};""))))'
        )

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
