"""Single cells as Google takes them. Pure. Text stays text, whatever it looks like."""

import math
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from backend.sheets.dates import EPOCH
from backend.sheets.formats import HEADER, NUMBER_FORMATS, TONES, pattern, stored
from backend.sheets.table import Bars, Cell, Column, Format, Number, Spark, Text, Tone

FIELDS = "userEnteredValue,userEnteredFormat,textFormatRuns"
"""The parts of a cell that Sheetrack writes; notes and validation that people add stay."""

Values = dict[str, Any]

_TYPES: dict[Format, str] = {
    "percent": "PERCENT",
    "accuracy": "PERCENT",
    "seconds": "TIME",
    "time": "DATE_TIME",
}
_LONGEST_TEXT = 50_000


def colour(code: str) -> Values:
    """`#RRGGBB` as a ColorStyle."""
    channels = (int(code[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return {"rgbColor": dict(zip(("red", "green", "blue"), channels, strict=True))}


def ink(tone: Tone) -> Values:
    """The part of a TextFormat that shows a meaning."""
    return {"foregroundColorStyle": colour(TONES[tone])}


def text(words: str, style: Values | None = None) -> Values:
    drawn: Values = {"userEnteredValue": {"stringValue": words[:_LONGEST_TEXT]}}
    if style:
        drawn["userEnteredFormat"] = {"textFormat": style}
    return drawn


def number(
    value: float | None, shape: Format = "text", style: Values | None = None, written: str = ""
) -> Values:
    """An empty cell where the number is not known; `written` takes the place of that of the format."""
    if value is None or not math.isfinite(value):
        return {}
    looks: Values = {}
    if shape != "text":
        looks["numberFormat"] = {
            "type": _TYPES.get(shape, "NUMBER"),
            "pattern": written or NUMBER_FORMATS[shape],
        }
    if shape == "time":
        looks["horizontalAlignment"] = "LEFT"
    if style:
        looks["textFormat"] = style
    drawn: Values = {"userEnteredValue": {"numberValue": stored(value, shape)}}
    return drawn | ({"userEnteredFormat": looks} if looks else {})


def formula(text: str) -> Values:
    return {"userEnteredValue": {"formulaValue": text}}


def header(title: str) -> Values:
    shape = {"textFormat": {"bold": True}, "backgroundColorStyle": colour(HEADER)}
    return {"userEnteredValue": {"stringValue": title}, "userEnteredFormat": shape}


def plain(cell: Cell, column: Column, gids: Mapping[str, int], zone: tzinfo) -> Values:
    """CellData of any cell; a curve is empty here. `gids` has the sheet IDs that links to tabs lead to."""
    match cell:
        case None | Bars() | Spark():
            return {}
        case Text():
            return _noted(cell, gids)
        case Number():
            return number(cell.value, cell.format, _style(cell) | _link(cell.tab, gids), pattern(cell))
        case bool():
            return text("yes" if cell else "no")
        case str() if column.format == "time":
            local = datetime.fromisoformat(cell).astimezone(zone).replace(tzinfo=None)
            return number((local - EPOCH).total_seconds() / 86_400, "time")
        case str():
            return text(cell)
        case _:
            return number(cell, column.format)


def _style(cell: Text | Number) -> Values:
    return (ink(cell.tone) if cell.tone else {}) | ({"bold": True} if cell.bold else {})


def _link(tab: str | None, gids: Mapping[str, int]) -> Values:
    """The part of a TextFormat that leads to a tab, where there is such a tab."""
    return {"link": {"uri": f"#gid={gids[tab]}"}} if tab is not None and tab in gids else {}


def _noted(cell: Text, gids: Mapping[str, int]) -> Values:
    style = _style(cell) | _link(cell.tab, gids)
    if not (cell.text and cell.note):
        return text(cell.text or cell.note, style)
    drawn = text(f"{cell.text} {cell.note}", style)
    # Google counts UTF-16 units, not characters.
    start = len(cell.text.encode("utf-16-le")) // 2
    if start < _LONGEST_TEXT:
        drawn["textFormatRuns"] = [
            {"startIndex": 0, "format": style},
            {"startIndex": start, "format": ink("soft") | {"bold": False}},
        ]
    return drawn
