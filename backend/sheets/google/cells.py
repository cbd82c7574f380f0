"""From a Table to the cells of a Google tab. Pure: the same table gives the same cells.

Right of what people see lie hidden columns of the tab's own: the options of its sparklines (two columns,
name and value), the sparklines in words (one column for each column that has any, headed "... in words"),
and their numbers. A formula can so name ranges, which mean the same in every locale.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from gspread.utils import rowcol_to_a1

from backend.sheets.formats import NUMBER_FORMATS, TONES, stored
from backend.sheets.table import Bars, Cell, Column, Format, Number, Section, Spark, Table, Text

FIELDS = "userEnteredValue,userEnteredFormat,textFormatRuns"
"""What of our tabs' cells is ours; notes and validation that people add stay."""
IN_WORDS = " in words"
LOOKED_UP = "Servers"
"""The table that the formulas in people's tabs look into."""

_TYPES: dict[Format, str] = {
    "percent": "PERCENT",
    "accuracy": "PERCENT",
    "change": "PERCENT",
    "seconds": "TIME",
    "time": "DATE_TIME",
}
_BLUE, _SOFT = "#0B57D0", TONES["soft"]
_LONGEST_TEXT = 50_000
_PICTURE_ROWS = 40
_OLD = "1/288"  # five minutes of a day
_FIRST_DAY = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's days have no zone

Values = dict[str, Any]


@dataclass(frozen=True)
class Drawing:
    """A tab as Google shall show it."""

    rows: list[Values]
    """RowData, from the first row on."""
    row_count: int
    column_count: int
    layout: list[Values]
    """Requests for what people may change and keep: widths, frozen panes, rules."""

    @property
    def layout_hash(self) -> str:
        text = json.dumps([self.column_count, self.layout], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def draw(table: Table, sheet_id: int, gids: Mapping[str, int], zone: tzinfo) -> Drawing:
    """Draws `table`; `gids` says where links to other tabs lead, `zone` is the spreadsheet's own."""
    pen = _Pen(table, gids, zone)
    for section in table.sections:
        pen.section(section)
    pen.place_options()
    row_count = len(pen.grid) + 1
    if any(section.pictures for section in table.sections):
        row_count += _PICTURE_ROWS
    column_count = max(pen.visible + 1, *(len(row) for row in pen.grid))
    return Drawing(
        rows=[{"values": row} for row in pen.grid],
        row_count=row_count,
        column_count=column_count,
        layout=_layout(table, sheet_id, pen, column_count),
    )


def colour(code: str) -> Values:
    """`#RRGGBB` as a ColorStyle."""
    channels = (int(code[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return {"rgbColor": dict(zip(("red", "green", "blue"), channels, strict=True))}


def number_format(shape: Format) -> Values:
    return {"type": _TYPES.get(shape, "NUMBER"), "pattern": NUMBER_FORMATS[shape]}


@dataclass
class _Pen:
    """Writes sections below each other."""

    table: Table
    gids: Mapping[str, int]
    zone: tzinfo
    grid: list[list[Values]] = field(default_factory=list)
    options: list[tuple[str, str | float]] = field(default_factory=list)
    placed: list[tuple[Section, int]] = field(default_factory=list)
    """The sections that have columns, and the row below their header."""

    def __post_init__(self) -> None:
        sections = self.table.sections
        self.visible = max(2, *(len(section.columns) for section in sections))
        drawn = {
            place
            for section in sections
            for row in section.rows
            for place, cell in enumerate(row)
            if isinstance(cell, Bars | Spark)
        }
        self._words = {place: self.visible + 2 + at for at, place in enumerate(sorted(drawn))}

    def section(self, section: Section) -> None:
        if self.grid:
            self.grid.append([])
        if section.title:
            self.grid.append([_text(section.title, {"bold": True, "fontSize": 12})])
        if section.note:
            self.grid.append([_text(section.note, _ink(_SOFT) | {"italic": True})])
        if section.columns:
            self.grid.append(self._header(section))
            self.placed.append((section, len(self.grid)))
        if not section.rows and section.empty:
            self.grid.append([_text(section.empty, _ink(_SOFT) | {"italic": True})])
        for row in section.rows:
            self._row(section, row)
        self.grid += [
            [_text(f"{picture.alt}: Sheetrack > Show run here", _ink(_SOFT))] for picture in section.pictures
        ]

    def _header(self, section: Section) -> list[Values]:
        cells = [_header(column.title) for column in section.columns]
        for place, at in self._words.items():
            if place < len(section.columns):
                cells += [{}] * (at - len(cells))
                cells.append(_text(section.columns[place].title + IN_WORDS))
        return cells

    def _row(self, section: Section, row: tuple[Cell, ...]) -> None:
        cells = [self._cell(cell, column) for cell, column in zip(row, section.columns, strict=True)]
        curves = {place: cell for place, cell in enumerate(row) if isinstance(cell, Bars | Spark)}
        if self._words:
            # What a row says there without a curve, such as why there is none, is in words already.
            said = [cells[place] if place < len(cells) else {} for place in self._words]
            cells += [{}] * (self.visible + 2 - len(cells)) + said
        for place, curve in curves.items():
            cells[self._words[place]] = _text(curve.label)
            values = curve.values if isinstance(curve, Spark) else curve.fractions
            numbers = [{} if value is None else _number(value) for value in values] or [{}]
            first, last = len(cells), len(cells) + len(numbers) - 1
            cells += numbers
            source = f"{_address(len(self.grid), first)}:{_address(len(self.grid), last)}"
            cells[place] = {
                "userEnteredValue": {"formulaValue": f"=SPARKLINE({source};{self._options(curve)})"}
            }
        self.grid.append(cells)

    def _options(self, curve: Bars | Spark) -> str:
        """The range that holds the curve's options; curves of one kind share theirs."""
        style: str
        low: float | None
        high: float | None
        if isinstance(curve, Bars):
            style, low, high = "column", 0, 1
        else:
            style, low, high = curve.style, curve.low, curve.high
        wanted: list[tuple[str, str | float]] = [("charttype", style), ("color", _BLUE), ("empty", "ignore")]
        wanted += [(name, at) for name, at in (("ymin", low), ("ymax", high)) if at is not None]
        size = len(wanted)
        starts = range(len(self.options) - size + 1)
        start = next((at for at in starts if self.options[at : at + size] == wanted), len(self.options))
        if start == len(self.options):
            self.options += wanted
        first, last = rowcol_to_a1(start + 1, self.visible + 1), rowcol_to_a1(start + size, self.visible + 2)
        return f"{_fixed(first)}:{_fixed(last)}"

    def place_options(self) -> None:
        for at, (name, value) in enumerate(self.options):
            if at == len(self.grid):
                self.grid.append([])
            row = self.grid[at]
            row += [{}] * (self.visible + 2 - len(row))
            row[self.visible] = _text(name)
            row[self.visible + 1] = _text(value) if isinstance(value, str) else _number(value)

    def _cell(self, cell: Cell, column: Column) -> Values:
        match cell:
            case None | Number(value=None) if self.table.name == LOOKED_UP:
                # Whoever looks up a cell without any content may be told 0.
                return {"userEnteredValue": {"formulaValue": '=""'}}
            case None | Bars() | Spark():
                return {}
            case Text():
                return self._noted(cell)
            case Number():
                ink = (_ink(TONES[cell.tone]) if cell.tone else {}) | ({"bold": True} if cell.bold else {})
                return _number(cell.value, cell.format, ink)
            case bool():
                return _text("yes" if cell else "no")
            case str() if column.format == "time":
                local = datetime.fromisoformat(cell).astimezone(self.zone).replace(tzinfo=None)
                return _number((local - _FIRST_DAY).total_seconds() / 86_400, "time")
            case str():
                return _text(cell)
            case _:
                return _number(cell, column.format)

    def _noted(self, cell: Text) -> Values:
        style = (_ink(TONES[cell.tone]) if cell.tone else {}) | ({"bold": True} if cell.bold else {})
        if cell.tab is not None and cell.tab in self.gids:
            style["link"] = {"uri": f"#gid={self.gids[cell.tab]}"}
        if not (cell.text and cell.note):
            return _text(cell.text or cell.note, style)
        drawn = _text(f"{cell.text} {cell.note}", style)
        # Google counts UTF-16 units, not characters.
        start = len(cell.text.encode("utf-16-le")) // 2
        if start < _LONGEST_TEXT:
            drawn["textFormatRuns"] = [
                {"startIndex": 0, "format": style},
                {"startIndex": start, "format": _ink(_SOFT) | {"bold": False}},
            ]
        return drawn


def _text(text: str, style: Values | None = None) -> Values:
    """Text stays text, whatever it looks like."""
    drawn: Values = {"userEnteredValue": {"stringValue": text[:_LONGEST_TEXT]}}
    if style:
        drawn["userEnteredFormat"] = {"textFormat": style}
    return drawn


def _header(title: str) -> Values:
    shape = {"textFormat": {"bold": True}, "backgroundColorStyle": colour("#F0F2F5")}
    return {"userEnteredValue": {"stringValue": title}, "userEnteredFormat": shape}


def _number(value: float | None, shape: Format = "text", style: Values | None = None) -> Values:
    if value is None or not math.isfinite(value):
        return {}
    drawn: Values = {"userEnteredValue": {"numberValue": stored(value, shape)}}
    looks: Values = {}
    if shape != "text":
        looks["numberFormat"] = number_format(shape)
    if shape == "time":
        looks["horizontalAlignment"] = "LEFT"
    if style:
        looks["textFormat"] = style
    return drawn | ({"userEnteredFormat": looks} if looks else {})


def _ink(code: str) -> Values:
    return {"foregroundColorStyle": colour(code)}


def _address(row: int, column: int) -> str:
    """Fixed in its columns: `$N2`."""
    return "$" + rowcol_to_a1(row + 1, column + 1)


def _fixed(address: str) -> str:
    letters = address.rstrip("0123456789")
    return f"${letters}${address[len(letters) :]}"


def _layout(table: Table, sheet_id: int, pen: _Pen, column_count: int) -> list[Values]:
    single = len(table.sections) == 1 and pen.placed
    grid = {
        "hideGridlines": True,
        "frozenRowCount": pen.placed[0][1] if single else 0,
        "frozenColumnCount": 1,
    }
    fields = ",".join(f"gridProperties.{name}" for name in grid)
    properties = {"sheetId": sheet_id, "gridProperties": grid}
    requests: list[Values] = [{"updateSheetProperties": {"properties": properties, "fields": fields}}]

    def columns(first: int, end: int, properties: Values) -> Values:
        place = {"sheetId": sheet_id, "dimension": "COLUMNS", "startIndex": first, "endIndex": end}
        fields = ",".join(properties)
        return {"updateDimensionProperties": {"range": place, "properties": properties, "fields": fields}}

    for place in range(pen.visible):
        widths = [s.columns[place].width for s in table.sections if place < len(s.columns)]
        width = max(widths, default=12) * 7 + 16
        requests.append(columns(place, place + 1, {"pixelSize": width, "hiddenByUser": False}))
    if pen.options:
        requests.append(columns(pen.visible, column_count, {"hiddenByUser": True}))
    rules = [rule for section, row in pen.placed for rule in _rules(section, sheet_id, row)]
    return requests + [{"addConditionalFormatRule": {"rule": rule, "index": 0}} for rule in rules]


def _rules(section: Section, sheet_id: int, first_row: int) -> list[Values]:
    rules = []
    heated = [place for place, column in enumerate(section.columns) if column.heat]
    if section.heat != "none" and heated and section.rows:
        low: Values = {"type": "NUMBER", "value": "0"} if section.heat == "count" else {"type": "MIN"}
        gradient = {
            "minpoint": low | {"colorStyle": colour("#FFFFFF")},
            "maxpoint": {"type": "MAX", "colorStyle": colour("#6A9BE8")},
        }
        columns = {"startColumnIndex": heated[0], "endColumnIndex": heated[-1] + 1}
        rows = {"startRowIndex": first_row, "endRowIndex": first_row + len(section.rows)}
        rules.append({"ranges": [{"sheetId": sheet_id} | rows | columns], "gradientRule": gradient})
    for place, column in enumerate(section.columns):
        if column.title == "Seen" and column.format == "time":
            # Also when nothing refreshes the tab any more, an old time looks old.
            formula = f"=NOW()-{_address(first_row, place)}>{_OLD}"
            condition = {"type": "CUSTOM_FORMULA", "values": [{"userEnteredValue": formula}]}
            style = {"textFormat": {"bold": True} | _ink(TONES["bad"])}
            columns = {"startColumnIndex": place, "endColumnIndex": place + 1}
            place_of = {"sheetId": sheet_id, "startRowIndex": first_row} | columns
            rules.append({"ranges": [place_of], "booleanRule": {"condition": condition, "format": style}})
    return rules
