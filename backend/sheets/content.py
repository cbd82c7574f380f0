"""A tab of people's own, as it is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import TypeVar, overload

Value = str | int | float | bool | None
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class TabContent(Sequence[list[Value]]):
    """The rows of a tab, and what their dates mean. A cell of a merged area holds what the area shows."""

    rows: list[list[Value]]
    """Values; dates as days since 1899-12-30. Rows may differ in length."""
    shown: list[list[str]] = field(default_factory=list)
    """What people see in the cells of `rows`, where that is known: `01` of the number 1."""
    locale: str = ""
    """Such as `de_DE`, by which the spreadsheet reads dates; empty: it has none."""
    zone: tzinfo = UTC

    @overload
    def __getitem__(self, index: int) -> list[Value]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[Value]]: ...
    def __getitem__(self, index: int | slice) -> list[Value] | list[list[Value]]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def value(self, row: int, column: int | None) -> Value:
        """The value of a cell, None outside of the tab."""
        return _at(self.rows, row, column)

    def text(self, row: int, column: int | None) -> str:
        """What a cell shows, without blanks around it; empty outside of the tab."""
        shown: Value = _at(self.shown, row, column) if self.shown else self.value(row, column)
        return "" if shown is None else str(shown).strip()

    def texts(self, row: int) -> list[str]:
        return [self.text(row, column) for column in range(len(self.rows[row]))]


@dataclass(frozen=True)
class Area:
    """A merged area; the ends are exclusive, as in Google's `GridRange`."""

    top: int
    left: int
    bottom: int
    right: int


def fill(cells: list[list[Value]], areas: Iterable[Area]) -> None:
    """Repeats the first cell of each merged area in its other cells, as far as `cells` go."""
    for area in areas:
        if (first := _at(cells, area.top, area.left)) is None:
            continue
        width = max(map(len, cells))
        for row in cells[area.top : area.bottom]:
            row.extend([None] * (min(area.right, width) - len(row)))
            for column in range(area.left, min(area.right, len(row))):
                row[column] = first


def _at(cells: Sequence[Sequence[Kind]], row: int, column: int | None) -> Kind | None:
    if column is None or not (0 <= row < len(cells) and 0 <= column < len(cells[row])):
        return None
    return cells[row][column]
