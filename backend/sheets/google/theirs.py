"""What a tab of people's own holds, from Google's answer. Pure."""

from collections.abc import Mapping
from typing import Any

from backend.sheets.content import Area, TabContent, Value, fill
from backend.sheets.google.book import zone_named
from backend.sheets.google.peoples_tab import PeoplesTab, formula_of

CONTENT_FIELDS = (
    "properties(locale,timeZone),sheets(properties(sheetId,title),merges,"
    "data(rowData(values(userEnteredValue,effectiveValue,formattedValue)),"
    "rowMetadata(developerMetadata),columnMetadata(developerMetadata)))"
)


def content_of(answer: Mapping[str, Any]) -> TabContent:
    """The first tab of a `spreadsheets.get` of `CONTENT_FIELDS`, without the columns that Sheetrack put there."""
    properties, sheet = answer["properties"], answer["sheets"][0]
    tab = PeoplesTab(sheet)
    ours = {mark.at for mark in tab.ours} | _formula_columns(tab)  # marks may have been deleted
    rows: list[list[Value]] = []
    shown: list[list[Value]] = []
    for cells in tab.rows:
        theirs = [{} if at in ours else cell for at, cell in enumerate(cells)]
        while theirs and not theirs[-1].get("effectiveValue"):
            theirs.pop()
        rows.append([_value(cell) for cell in theirs])
        shown.append([cell.get("formattedValue") for cell in theirs])
    while rows and not rows[-1]:
        rows.pop()
    areas = [_area(merge) for merge in sheet.get("merges", [])]
    fill(rows, areas)
    fill(shown, areas)
    return TabContent(
        rows,
        [["" if text is None else str(text) for text in texts] for texts in shown[: len(rows)]],
        str(properties.get("locale", "")),
        zone_named(properties.get("timeZone", "")),
    )


def _formula_columns(tab: PeoplesTab) -> set[int]:
    """The columns that hold a formula of Sheetrack's."""
    return {at for cells in tab.rows for at, cell in enumerate(cells) if formula_of(cell)}


def _value(cell: Mapping[str, Any]) -> Value:
    value: Mapping[str, Any] = cell.get("effectiveValue") or {}
    if "errorValue" in value:
        return str(cell.get("formattedValue", "#ERROR!"))
    found: Value = next(iter(value.values()), None)
    return None if found == "" else found


def _area(merge: Mapping[str, int]) -> Area:
    top, left = merge.get("startRowIndex", 0), merge.get("startColumnIndex", 0)
    return Area(top, left, merge.get("endRowIndex", top + 1), merge.get("endColumnIndex", left + 1))
