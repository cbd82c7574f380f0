"""The look of a tab apart from its cells: size, widths, frozen panes, merges, rules. Pure.

People may change it and keep their changes: each part is written when a tab is made, and again only where the
table needs another one. Widths and hidden columns of people stay when the table grows, and so do their rules.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.sheets.formats import LESS, MORE, WHITE
from backend.sheets.google.cells import Values, colour, ink
from backend.sheets.google.grid import Drawing, address, placed_columns, spanning
from backend.sheets.table import Number, Section

_PICTURE_ROWS = 40
_OLD = "1/288"  # five minutes of a day
_OUR_RULE = re.compile(rf"=NOW\(\)-\$[A-Z]+\d+>{_OLD}")


@dataclass(frozen=True)
class Layout:
    sheet_id: int
    row_count: int
    column_count: int
    frozen_rows: int
    widths: tuple[int, ...]
    """Of the visible columns, in pixels; all columns right of them are hidden, as far as `hides`."""
    hides: bool
    merges: list[Values]
    rules: list[Values]

    @property
    def look(self) -> Values:
        """What has to be known later to write only what changed."""
        return {
            "frozen": self.frozen_rows,
            "widths": list(self.widths),
            "hides": self.hides,
            "merges": _hash(self.merges),
            "rules": _hash(self.rules),
        }

    def requests(self, before: Mapping[str, Any], columns: int, rules: Sequence[Values]) -> list[Values]:
        """What gives a tab this look that has the look `before`, so many `columns` and these conditional `rules`."""
        batch: list[Values] = []
        if before.get("frozen") != self.frozen_rows:
            batch.append(self._frozen())
        batch += self._widths(before, columns)
        if before.get("merges", _hash([])) != _hash(self.merges):
            batch.append({"unmergeCells": {"range": {"sheetId": self.sheet_id}}})
            batch += self.merges
        if before.get("rules") != _hash(self.rules):
            ours = [place for place, rule in enumerate(rules) if _is_ours(rule)]
            for place in reversed(ours):
                batch.append({"deleteConditionalFormatRule": {"sheetId": self.sheet_id, "index": place}})
            batch += [{"addConditionalFormatRule": {"rule": rule, "index": 0}} for rule in self.rules]
        return batch

    def _frozen(self) -> Values:
        grid = {"hideGridlines": True, "frozenRowCount": self.frozen_rows, "frozenColumnCount": 1}
        fields = ",".join(f"gridProperties.{name}" for name in grid)
        properties = {"sheetId": self.sheet_id, "gridProperties": grid}
        return {"updateSheetProperties": {"properties": properties, "fields": fields}}

    def _widths(self, before: Mapping[str, Any], columns: int) -> list[Values]:
        old = before.get("widths", [])
        batch = [
            self._columns(place, place + 1, {"pixelSize": width, "hiddenByUser": False})
            for place, width in enumerate(self.widths)
            if place >= len(old) or old[place] != width
        ]
        if self.hides:
            visible = len(self.widths)
            first = visible if not before.get("hides") else max(visible, columns)
            if visible < len(old) <= first:
                batch.append(self._columns(visible, min(len(old), self.column_count), {"hiddenByUser": True}))
            if first < self.column_count:
                batch.append(self._columns(first, self.column_count, {"hiddenByUser": True}))
        return batch

    def _columns(self, first: int, end: int, properties: Values) -> Values:
        place = {"sheetId": self.sheet_id, "dimension": "COLUMNS", "startIndex": first, "endIndex": end}
        fields = ",".join(properties)
        return {"updateDimensionProperties": {"range": place, "properties": properties, "fields": fields}}


def lay_out(drawing: Drawing, sheet_id: int) -> Layout:
    sections = drawing.table.sections
    single = len(sections) == 1 and drawing.placed
    return Layout(
        sheet_id=sheet_id,
        row_count=len(drawing.grid) + 1 + _PICTURE_ROWS * any(section.pictures for section in sections),
        column_count=max(drawing.visible + 1, *(len(row) for row in drawing.grid)),
        frozen_rows=drawing.placed[0][1] if single else 0,
        widths=_widths(drawing),
        hides=bool(drawing.options),
        merges=_merges(drawing, sheet_id),
        rules=[rule for section, row in drawing.placed for rule in _rules(section, sheet_id, row)],
    )


def _widths(drawing: Drawing) -> tuple[int, ...]:
    widths = [0] * drawing.visible
    for section in drawing.table.sections:
        for begin, column in placed_columns(section):
            for place in range(begin, begin + column.span):
                widths[place] = max(widths[place], column.width)
    return tuple((width or 12) * 7 + 16 for width in widths)


def _hash(requests: Sequence[Values]) -> str:
    return hashlib.sha256(json.dumps(requests, sort_keys=True).encode()).hexdigest()[:12]


def _is_ours(rule: Mapping[str, Any]) -> bool:
    """Whether a conditional format is one of Sheetrack's, as its formula or its colours say."""
    condition = rule.get("booleanRule", {}).get("condition", {})
    if any(_OUR_RULE.fullmatch(value.get("userEnteredValue", "")) for value in condition.get("values", [])):
        return True
    gradient = rule.get("gradientRule", {})
    ends = [_rgb(gradient.get(name, {})) for name in ("minpoint", "maxpoint")]
    return ends in ([_rgb_of(WHITE), _rgb_of(MORE)], [_rgb_of(LESS), _rgb_of(MORE)])


def _rgb(point: Mapping[str, Any]) -> tuple[int, ...]:
    channels = point.get("colorStyle", {}).get("rgbColor", {})
    return tuple(round(channels.get(name, 0) * 255) for name in ("red", "green", "blue"))


def _rgb_of(code: str) -> tuple[int, ...]:
    return tuple(int(code[at : at + 2], 16) for at in (1, 3, 5))


def _merges(drawing: Drawing, sheet_id: int) -> list[Values]:
    requests: list[Values] = []
    for section, first_row in drawing.placed:
        for row, first, last in spanning(section, first_row):
            place = _range(sheet_id, (row, row + 1), (first, last + 1))
            requests.append({"mergeCells": {"range": place, "mergeType": "MERGE_ALL"}})
    return requests


def _rules(section: Section, sheet_id: int, first_row: int) -> list[Values]:
    rules = []
    heated = [place for place, column in placed_columns(section) if column.heat]
    if section.heat != "none" and heated and section.without_details:
        rows = (first_row, first_row + len(section.without_details))
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
                for row in section.without_details
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
