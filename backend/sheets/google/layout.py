"""The look of a tab apart from its cells: size, widths, frozen panes, merges, rules. Pure.

People may change it and keep their changes: it is written when a tab is made, and again only when the table
needs another layout.
"""

import hashlib
import json
from dataclasses import dataclass

from backend.sheets.formats import LESS, MORE, WHITE
from backend.sheets.google.cells import Values, colour, ink
from backend.sheets.google.grid import Drawing, address, placed_columns, spanning
from backend.sheets.table import Number, Section

_PICTURE_ROWS = 40
_OLD = "1/288"  # five minutes of a day


@dataclass(frozen=True)
class Layout:
    row_count: int
    column_count: int
    requests: list[Values]
    """The requests that give a tab of that size this look."""

    @property
    def hash(self) -> str:
        text = json.dumps([self.column_count, self.requests], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def lay_out(drawing: Drawing, sheet_id: int) -> Layout:
    sections = drawing.table.sections
    row_count = len(drawing.grid) + 1 + _PICTURE_ROWS * any(section.pictures for section in sections)
    column_count = max(drawing.visible + 1, *(len(row) for row in drawing.grid))
    requests = [_frozen(drawing, sheet_id), *_widths(drawing, sheet_id, column_count)]
    requests += _merges(drawing, sheet_id)
    rules = [rule for section, row in drawing.placed for rule in _rules(section, sheet_id, row)]
    requests += [{"addConditionalFormatRule": {"rule": rule, "index": 0}} for rule in rules]
    return Layout(row_count, column_count, requests)


def _frozen(drawing: Drawing, sheet_id: int) -> Values:
    single = len(drawing.table.sections) == 1 and drawing.placed
    grid = {
        "hideGridlines": True,
        "frozenRowCount": drawing.placed[0][1] if single else 0,
        "frozenColumnCount": 1,
    }
    fields = ",".join(f"gridProperties.{name}" for name in grid)
    properties = {"sheetId": sheet_id, "gridProperties": grid}
    return {"updateSheetProperties": {"properties": properties, "fields": fields}}


def _widths(drawing: Drawing, sheet_id: int, column_count: int) -> list[Values]:
    def columns(first: int, end: int, properties: Values) -> Values:
        place = {"sheetId": sheet_id, "dimension": "COLUMNS", "startIndex": first, "endIndex": end}
        fields = ",".join(properties)
        return {"updateDimensionProperties": {"range": place, "properties": properties, "fields": fields}}

    widths = [0] * drawing.visible
    for section in drawing.table.sections:
        for begin, column in placed_columns(section):
            for place in range(begin, begin + column.span):
                widths[place] = max(widths[place], column.width)
    requests = [
        columns(place, place + 1, {"pixelSize": (width or 12) * 7 + 16, "hiddenByUser": False})
        for place, width in enumerate(widths)
    ]
    if drawing.options:
        requests.append(columns(drawing.visible, column_count, {"hiddenByUser": True}))
    return requests


def _merges(drawing: Drawing, sheet_id: int) -> list[Values]:
    if all(column.span == 1 for section in drawing.table.sections for column in section.columns):
        return []
    requests: list[Values] = [{"unmergeCells": {"range": {"sheetId": sheet_id}}}]
    for section, first_row in drawing.placed:
        for row, first, last in spanning(section, first_row):
            place = _range(sheet_id, (row, row + 1), (first, last + 1))
            requests.append({"mergeCells": {"range": place, "mergeType": "MERGE_ALL"}})
    return requests


def _rules(section: Section, sheet_id: int, first_row: int) -> list[Values]:
    rules = []
    heated = [place for place, column in placed_columns(section) if column.heat]
    if section.heat != "none" and heated and section.rows:
        rows = (first_row, first_row + len(section.rows))
        place = _range(sheet_id, rows, (heated[0], heated[-1] + 1))
        rules.append({"ranges": [place], "gradientRule": _gradient(section)})
    for at, column in placed_columns(section):
        if column.title == "Seen" and column.format == "time":
            # An old time looks old also when nothing refreshes the tab any more.
            formula = f"=NOW()-{address(first_row, at)}>{_OLD}"
            condition = {"type": "CUSTOM_FORMULA", "values": [{"userEnteredValue": formula}]}
            style = {"textFormat": {"bold": True} | ink("bad")}
            place = _range(sheet_id, (first_row, None), (at, at + 1))
            rules.append({"ranges": [place], "booleanRule": {"condition": condition, "format": style}})
    return rules


def _gradient(section: Section) -> Values:
    def point(kind: str, code: str, value: float | None = None) -> Values:
        bare = {"type": kind, "colorStyle": colour(code)}
        # A quotient of whole numbers means the same in every locale.
        return bare if value is None else bare | {"value": f"={round(value * 10_000)}/10000"}

    match section.heat:
        case "difference":
            numbers = [
                abs(value)
                for row in section.rows
                for (_, column), cell in zip(placed_columns(section), row, strict=True)
                if column.heat
                and isinstance(value := cell.value if isinstance(cell, Number) else cell, int | float)
            ]
            most = max(numbers, default=0) or 1
            return {
                "minpoint": point("NUMBER", LESS, -most),
                "midpoint": point("NUMBER", WHITE, 0),
                "maxpoint": point("NUMBER", MORE, most),
            }
        case "count":
            return {"minpoint": point("NUMBER", WHITE, 0), "maxpoint": point("MAX", MORE)}
        case _:
            return {"minpoint": point("MIN", WHITE), "maxpoint": point("MAX", MORE)}


def _range(sheet_id: int, rows: tuple[int, int | None], columns: tuple[int, int]) -> Values:
    place = {"sheetId": sheet_id, "startRowIndex": rows[0]}
    place |= {"startColumnIndex": columns[0], "endColumnIndex": columns[1]}
    return place if rows[1] is None else place | {"endRowIndex": rows[1]}
