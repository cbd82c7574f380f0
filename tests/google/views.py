"""What Google answers of a spreadsheet: whole, of some ranges, or as plain values."""

import re
from typing import Any

from gspread.utils import a1_range_to_grid_range

from tests.google.state import Cell, RefusedError, Spreadsheet, Tab

Body = dict[str, Any]


def whole(state: Spreadsheet, ranges: list[str], *, grid_data: bool) -> Body:
    wanted: dict[Tab, list[tuple[int, int, int, int]]] = {}
    for text in ranges:
        tab, box = _parse(state, text)
        wanted.setdefault(tab, []).append(box)
    return {
        "spreadsheetId": "lab",
        "properties": {"title": state.title, "locale": state.locale, "timeZone": state.zone},
        "developerMetadata": [state.mark_of(n) for n, (_, tab, _) in state.marks.items() if tab is None],
        "sheets": [
            _sheet(
                state, tab, wanted.get(tab, [(0, 0, len(tab.rows), len(tab.columns))]) if grid_data else []
            )
            for tab in (wanted or state.tabs)
        ],
    }


def _parse(state: Spreadsheet, text: str) -> tuple[Tab, tuple[int, int, int, int]]:
    found = re.fullmatch(r"(?:'((?:[^']|'')+)'|(\w+))(?:!(.+))?", text)
    if found is None:
        raise RefusedError(f"Unable to parse range: {text}")
    tab = state.tab(found[1].replace("''", "'") if found[1] else found[2])
    place = a1_range_to_grid_range(found[3]) if found[3] else {}
    bottom, right = place.get("endRowIndex", len(tab.rows)), place.get("endColumnIndex", len(tab.columns))
    return tab, (place.get("startRowIndex", 0), place.get("startColumnIndex", 0), bottom, right)


def _sheet(state: Spreadsheet, tab: Tab, boxes: list[tuple[int, int, int, int]]) -> Body:
    grid = {"rowCount": len(tab.rows), "columnCount": len(tab.columns), **tab.grid}
    properties = {
        "sheetId": tab.id,
        "title": tab.title,
        "index": state.tabs.index(tab),
        "gridProperties": grid,
    }
    if tab.id == 0:
        del properties["sheetId"]  # Google leaves zeros out
    answer: Body = {
        "properties": properties,
        "conditionalFormats": tab.rules,
        "merges": tab.merges,
        "protectedRanges": [_protection(tab, entry) for entry in tab.protections.values()],
        "developerMetadata": [
            state.mark_of(n) for n, (_, at, line) in state.marks.items() if at is tab and line is None
        ],
        "data": [_data(state, tab, box) for box in boxes],
    }
    return {key: value for key, value in answer.items() if value}


def _protection(tab: Tab, entry: Body) -> Body:
    answer = {key: value for key, value in entry.items() if key != "lines"}
    places = [tab.columns.index(line) for line in entry["lines"] if line in tab.columns]
    if places:
        ends = {"startColumnIndex": min(places), "endColumnIndex": max(places) + 1}
        answer["range"] = {"sheetId": tab.id, **ends}
    return answer


def _data(state: Spreadsheet, tab: Tab, box: tuple[int, int, int, int]) -> Body:
    top, left, bottom, right = box
    rows, columns = tab.used()

    def dimension(lines: list[Any]) -> list[Body]:
        return [
            line.properties | ({"developerMetadata": marks} if (marks := _marks(state, line)) else {})
            for line in lines
        ]

    return {
        "rowData": [
            {"values": [_cell(state, tab, row, at) for at in range(left, min(right, columns))]}
            for row in range(top, min(bottom, rows))
        ],
        "rowMetadata": dimension(tab.rows[top:bottom]),
        "columnMetadata": dimension(tab.columns[left:right]),
    }


def _marks(state: Spreadsheet, line: object) -> list[Body]:
    return [state.mark_of(number) for number, (_, _, at) in state.marks.items() if at is line]


def _cell(state: Spreadsheet, tab: Tab, row: int, column: int) -> Body:
    cell = tab.cell(row, column)
    answer = {key: value for key, value in cell.items() if key != "formula"}
    if "formula" in cell:
        answer["userEnteredValue"] = {"formulaValue": state.formula(cell)}
        if fault := _fault(state, tab, row, column, cell):
            answer["effectiveValue"] = {"errorValue": {"type": "REF", "message": fault}}
    elif "userEnteredValue" in cell:
        answer["effectiveValue"] = cell["userEnteredValue"]
        answer["formattedValue"] = str(next(iter(cell["userEnteredValue"].values())))
    return answer


def _fault(state: Spreadsheet, tab: Tab, row: int, column: int, cell: Cell) -> str:
    text = state.formula(cell)
    if "#REF!" in text:
        return "Reference does not exist"
    below = range(row + 1, len(tab.rows))
    if text.startswith("=ARRAYFORMULA(") and any("userEnteredValue" in tab.cell(at, column) for at in below):
        return "Array result was not expanded because it would overwrite data"
    return ""


def values(state: Spreadsheet, text: str) -> Body:
    """Formulas are not computed here: their cells are empty."""
    tab, (top, left, bottom, right) = _parse(state, text)
    rows, columns = tab.used()
    answer = []
    for row in range(top, min(bottom, rows)):
        entered = [tab.cell(row, at).get("userEnteredValue", {}) for at in range(left, min(right, columns))]
        plain = [next(iter(value.values()), "") for value in entered]
        while plain and plain[-1] == "":
            plain.pop()
        answer.append(plain)
    while answer and not answer[-1]:
        answer.pop()
    return {"range": text, "majorDimension": "ROWS", "values": answer}


def masked(answer: Any, fields: str) -> Any:
    """The parts of `answer` that a field mask such as `a,b(c,d)` names."""
    if isinstance(answer, list):
        return [masked(entry, fields) for entry in answer]
    kept = {}
    for name, inner in _split(fields):
        if name in answer:
            kept[name] = masked(answer[name], inner) if inner else answer[name]
    return kept


def _split(fields: str) -> list[tuple[str, str]]:
    parts, depth, start = [], 0, 0
    for at, sign in enumerate(fields + ","):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            name, _, inner = fields[start:at].partition("(")
            parts.append((name, inner.removesuffix(")")))
            start = at + 1
    return parts
