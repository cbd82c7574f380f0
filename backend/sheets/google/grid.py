"""From a Table to a Google tab. Pure: the same table gives the same cells.

Hidden columns lie right of what people see: the options of the curves (two columns, name and value), the
curves in words (one for each column that has any, headed "... in words"), and the numbers of the curves.
So a SPARKLINE can name ranges, which mean the same in every locale.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from gspread.utils import rowcol_to_a1

from backend.sheets.formats import ACCENT
from backend.sheets.google import cells
from backend.sheets.google.cells import Values
from backend.sheets.table import Bars, Cell, Column, Number, Section, Spark, Table

IN_WORDS = " in words"


@dataclass
class Drawing:
    """Sections below each other, on the tab's grid."""

    table: Table
    gids: Mapping[str, int]
    """Where links to other tabs lead."""
    zone: tzinfo
    """The spreadsheet's."""
    is_lookup: bool = False
    """Whether formulas in people's tabs look into it."""
    grid: list[list[Values]] = field(default_factory=list)
    """CellData by row and column."""
    options: list[tuple[str, str | float]] = field(default_factory=list)
    placed: list[tuple[Section, int]] = field(default_factory=list)
    """The sections that have columns, and the row below their header."""

    def __post_init__(self) -> None:
        sections = self.table.sections
        self.visible = max(2, *(sum(column.span for column in section.columns) for section in sections))
        drawn = {
            place
            for section in sections
            for row in section.without_details
            for (place, _), cell in zip(placed_columns(section), row, strict=True)
            if isinstance(cell, Bars | Spark)
        }
        self._words = {place: self.visible + 2 + at for at, place in enumerate(sorted(drawn))}
        for section in sections:
            self._section(section)
        self._place_options()

    def _section(self, section: Section) -> None:
        if self.grid:
            self.grid.append([])
        if section.title:
            self.grid.append([cells.text(section.title, {"bold": True, "fontSize": 12})])
        quiet = cells.ink("soft") | {"italic": True}
        if section.note:
            self.grid.append([cells.text(section.note, quiet)])
        if section.columns:
            self.grid.append(self._header(section))
            self.placed.append((section, len(self.grid)))
        if not section.without_details and section.empty:
            self.grid.append([cells.text(section.empty, quiet)])
        for row in section.without_details:
            self._row(section, row)
        lines = (f"{picture.alt}: Sheetrack > Show run here" for picture in section.pictures)
        self.grid += [[cells.text(line, quiet)] for line in lines]

    def _header(self, section: Section) -> list[Values]:
        row = [
            cells.header(column.title if at == 0 else "")
            for column in section.columns
            for at in range(column.span)
        ]
        titles = {place: column.title for place, column in placed_columns(section)}
        for place, at in self._words.items():
            if place in titles:
                row += [{}] * (at - len(row))
                row.append(cells.text(titles[place] + IN_WORDS))
        return row

    def _row(self, section: Section, contents: tuple[Cell, ...]) -> None:
        row: list[Values] = [{}] * self.visible
        curves = {}
        for (place, column), cell in zip(placed_columns(section), contents, strict=True):
            row[place] = self._cell(cell, column)
            if isinstance(cell, Bars | Spark):
                curves[place] = cell
        if self._words:
            # A cell without a curve, such as the reason why there is none, is in words already.
            row += [{}, {}, *(row[place] for place in self._words)]
        for place, curve in curves.items():
            row[self._words[place]] = cells.text(curve.label)
            values = curve.values if isinstance(curve, Spark) else curve.fractions
            first = len(row)
            row += [cells.number(value) for value in values] or [{}]
            source = f"{address(len(self.grid), first)}:{address(len(self.grid), len(row) - 1)}"
            row[place] = cells.formula(f"=SPARKLINE({source};{self._options_of(curve)})")
        self.grid.append(row)

    def _cell(self, cell: Cell, column: Column) -> Values:
        drawn = cells.plain(cell, column, self.gids, self.zone)
        if not drawn and self.is_lookup:
            # A lookup of an empty cell may give 0.
            return cells.formula('=""')
        return drawn

    def _options_of(self, curve: Bars | Spark) -> str:
        """The range that holds the curve's options; curves of one kind share theirs."""
        style, low, high = (
            ("column", 0, 1) if isinstance(curve, Bars) else (curve.style, curve.low, curve.high)
        )
        wanted: list[tuple[str, str | float]] = [("charttype", style), ("color", ACCENT), ("empty", "ignore")]
        wanted += [(name, at) for name, at in (("ymin", low), ("ymax", high)) if at is not None]
        size = len(wanted)
        starts = range(len(self.options) - size + 1)
        start = next((at for at in starts if self.options[at : at + size] == wanted), len(self.options))
        if start == len(self.options):
            self.options += wanted
        first, last = (column.rstrip("1") for column in (rowcol_to_a1(1, self.visible + at) for at in (1, 2)))
        return f"${first}${start + 1}:${last}${start + size}"

    def _place_options(self) -> None:
        for at, (name, value) in enumerate(self.options):
            if at == len(self.grid):
                self.grid.append([])
            row = self.grid[at]
            row += [{}] * (self.visible + 2 - len(row))
            row[self.visible] = cells.text(name)
            row[self.visible + 1] = cells.text(value) if isinstance(value, str) else cells.number(value)


def placed_columns(section: Section) -> Iterator[tuple[int, Column]]:
    """Each column with the grid column where it begins."""
    begin = 0
    for column in section.columns:
        yield begin, column
        begin += column.span


def spanning(section: Section, first_row: int) -> Iterator[tuple[int, int, int]]:
    """Row, first and last grid column of every cell to merge; text flows into the next cells without that."""
    for at, row in enumerate(section.without_details, first_row):
        for (place, column), cell in zip(placed_columns(section), row, strict=True):
            if column.span > 1 and isinstance(cell, Number | Spark | Bars | int | float):
                yield at, place, place + column.span - 1


def address(row: int, column: int) -> str:
    """Fixed in its column: `$N2`; both count from 0."""
    return "$" + rowcol_to_a1(row + 1, column + 1)
