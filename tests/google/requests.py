"""What each request of a `spreadsheets.batchUpdate` does to a spreadsheet."""

from collections.abc import Callable
from typing import Any

from tests.google.state import Cell, Line, RefusedError, Row, Spreadsheet, Tab

Body = dict[str, Any]


def apply(state: Spreadsheet, request: Body) -> None:
    """Raises: RefusedError: Google would not do it."""
    ((kind, body),) = request.items()
    if kind not in _ACTIONS:
        raise RefusedError(f"{kind} is not known here")
    _ACTIONS[kind](state, body)
    state.forget_lost()


def _add_sheet(state: Spreadsheet, body: Body) -> None:
    properties = body.get("properties", {})
    number = properties.get("sheetId", max(tab.id for tab in state.tabs) + 1)
    title = properties.get("title", f"Sheet{len(state.tabs) + 1}")
    if any(tab.id == number or tab.title.casefold() == title.casefold() for tab in state.tabs):
        raise RefusedError(f"A sheet with the name {title!r} already exists.")
    index = properties.get("index", len(state.tabs))
    if index > len(state.tabs):
        raise RefusedError(f"index {index} is too large")
    grid = properties.get("gridProperties", {})
    tab = Tab(number, title, grid.get("rowCount", 1000), grid.get("columnCount", 26))
    state.tabs.insert(index, tab)


def _delete_sheet(state: Spreadsheet, body: Body) -> None:
    if len(state.tabs) == 1:
        raise RefusedError("You can't remove all the sheets in a document.")
    state.tabs.remove(state.tab(body["sheetId"]))


def _sheet_properties(state: Spreadsheet, body: Body) -> None:
    properties = body["properties"]
    tab = state.tab(properties["sheetId"])
    grid = properties.get("gridProperties", {})
    for field in body["fields"].split(","):
        name = field.removeprefix("gridProperties.")
        if name not in ("rowCount", "columnCount", "hideGridlines", "frozenRowCount", "frozenColumnCount"):
            raise RefusedError(f"{field} is not known here")
        tab.grid[name] = grid.get(name, 0)
    tab.resize(tab.grid.pop("rowCount", len(tab.rows)), tab.grid.pop("columnCount", len(tab.columns)))
    frozen = tab.grid.get("frozenRowCount", 0), tab.grid.get("frozenColumnCount", 0)
    if frozen[0] >= len(tab.rows) or frozen[1] >= len(tab.columns):
        raise RefusedError("You can't freeze all visible rows or columns.")


def _dimension(state: Spreadsheet, place: Body) -> tuple[Tab, list[Any], int, int]:
    tab = state.tab(place["sheetId"])
    lines = tab.lines(place["dimension"])
    start, end = place.get("startIndex", 0), place.get("endIndex", len(lines))
    if not 0 <= start < end:
        raise RefusedError(f"no such range: {place}")
    return tab, lines, start, end


def _dimension_properties(state: Spreadsheet, body: Body) -> None:
    _, lines, start, end = _dimension(state, body["range"])
    if end > len(lines):
        raise RefusedError(f"{body['range']} exceeds grid limits")
    for line in lines[start:end]:
        line.properties |= {name: body["properties"][name] for name in body["fields"].split(",")}


def _insert_dimension(state: Spreadsheet, body: Body) -> None:
    _, lines, start, end = _dimension(state, body["range"])
    inherits = body.get("inheritFromBefore", False)
    if start > len(lines) or (start == len(lines) and not inherits) or (start == 0 and inherits):
        raise RefusedError(f"range.startIndex[{start}] must be less than the grid size ({len(lines)})")
    kind = Row if body["range"]["dimension"] == "ROWS" else Line
    lines[start:start] = [kind() for _ in range(end - start)]


def _delete_dimension(state: Spreadsheet, body: Body) -> None:
    tab, lines, start, end = _dimension(state, body["range"])
    if end > len(lines):
        raise RefusedError(f"{body['range']} exceeds grid limits")
    for line in lines[start:end]:
        for row in tab.rows:
            row.cells.pop(line, None)
    del lines[start:end]


def _box(tab: Tab, place: Body) -> tuple[int, int, int, int]:
    top, left = place.get("startRowIndex", 0), place.get("startColumnIndex", 0)
    bottom, right = place.get("endRowIndex", len(tab.rows)), place.get("endColumnIndex", len(tab.columns))
    if bottom > len(tab.rows) or right > len(tab.columns) or top > bottom or left > right:
        raise RefusedError(f"{place} exceeds grid limits of {tab.title}")
    return top, left, bottom, right


def _write(state: Spreadsheet, tab: Tab, at: tuple[int, int], new: Body, fields: list[str]) -> None:
    if tab.is_locked:
        raise RefusedError("You are trying to edit a protected cell or object.")
    cell: Cell = {**tab.cell(*at)}
    for field in fields:
        if field == "userEnteredValue":
            cell.pop("formula", None)
        if field not in ("userEnteredValue", "userEnteredFormat", "textFormatRuns", "dataValidation"):
            raise RefusedError(f"{field} is not known here")
        cell.pop(field, None)
        if field in new:
            cell[field] = new[field]
    entered = cell.get("userEnteredValue", {})
    text = entered.get("stringValue", "")
    if len(text) > 50_000:
        raise RefusedError("Your input contains more than the maximum of 50000 characters in a single cell.")
    units = len(text.encode("utf-16-le")) // 2
    if any(run.get("startIndex", 0) >= units for run in cell.get("textFormatRuns", [])):
        raise RefusedError("textFormatRuns reach beyond the text")
    if "formulaValue" in entered:
        cell["formula"] = state.parse(tab, cell.pop("userEnteredValue")["formulaValue"])
    tab.put(*at, cell)


def _update_cells(state: Spreadsheet, body: Body) -> None:
    start, rows = body.get("start"), body.get("rows", [])
    fields = body["fields"].split(",")
    tab = state.tab((start or body["range"])["sheetId"])
    if start is not None:
        top, left = start.get("rowIndex", 0), start.get("columnIndex", 0)
        width = max((len(row.get("values", [])) for row in rows), default=0)
        place = {"startRowIndex": top, "startColumnIndex": left}
        place |= {"endRowIndex": top + len(rows), "endColumnIndex": left + width}
    else:
        place = body["range"]
    top, left, bottom, right = _box(tab, place)
    if len(rows) > bottom - top or any(len(row.get("values", [])) > right - left for row in rows):
        raise RefusedError("Attempting to write beyond the last requested row or column")
    for at in range(top, bottom):
        cells = rows[at - top].get("values", []) if at - top < len(rows) else []
        filled = tab.rows[at].cells
        for place_at in range(left, right):
            new = cells[place_at - left] if place_at - left < len(cells) else {}
            if new or tab.columns[place_at] in filled:
                _write(state, tab, (at, place_at), new, fields)


def _repeat_cell(state: Spreadsheet, body: Body) -> None:
    tab = state.tab(body["range"]["sheetId"])
    top, left, bottom, right = _box(tab, body["range"])
    for row in range(top, bottom):
        for column in range(left, right):
            _write(state, tab, (row, column), body["cell"], body["fields"].split(","))


def _merge(state: Spreadsheet, body: Body) -> None:
    tab = state.tab(body["range"]["sheetId"])
    top, left, bottom, right = _box(tab, body["range"])
    for merge in tab.merges:
        rows = range(max(top, merge["startRowIndex"]), min(bottom, merge["endRowIndex"]))
        columns = range(max(left, merge["startColumnIndex"]), min(right, merge["endColumnIndex"]))
        if rows and columns:
            raise RefusedError("You must select all cells in a merged range to merge or unmerge them.")
    tab.merges.append(body["range"])


def _unmerge(state: Spreadsheet, body: Body) -> None:
    """Of a whole tab."""
    if set(body["range"]) != {"sheetId"}:
        raise RefusedError("unmerging a part is not known here")
    state.tab(body["range"]["sheetId"]).merges.clear()


def _add_rule(state: Spreadsheet, body: Body) -> None:
    rule = body["rule"]
    tab = state.tab(rule["ranges"][0]["sheetId"])
    for place in rule["ranges"]:
        _box(tab, place)
    for value in rule.get("booleanRule", {}).get("condition", {}).get("values", []):
        state.parse(tab, value["userEnteredValue"])
    tab.rules.insert(body.get("index", 0), rule)


def _delete_rule(state: Spreadsheet, body: Body) -> None:
    tab = state.tab(body["sheetId"])
    if body["index"] >= len(tab.rules):
        raise RefusedError(f"No conditional format on sheet: {tab.id} at index: {body['index']}")
    del tab.rules[body["index"]]


def _add_protection(state: Spreadsheet, body: Body) -> None:
    entry = body["protectedRange"]
    tab = state.tab(entry["range"]["sheetId"])
    number = entry["protectedRangeId"]
    if any(number in other.protections for other in state.tabs):
        raise RefusedError(f"A protected range with id {number} exists already")
    _, left, _, right = _box(tab, entry["range"])
    whole = set(entry["range"]) == {"sheetId"}
    tab.protections[number] = {**entry, "lines": [] if whole else tab.columns[left:right]}


def _protection(state: Spreadsheet, number: int) -> dict[int, dict[str, Any]]:
    for tab in state.tabs:
        if number in tab.protections:
            return tab.protections
    raise RefusedError(f"No protected range with ID: {number}")


def _update_protection(state: Spreadsheet, body: Body) -> None:
    entry = body["protectedRange"]
    known = _protection(state, entry["protectedRangeId"])[entry["protectedRangeId"]]
    known |= {name: entry[name] for name in body["fields"].split(",")}


def _delete_protection(state: Spreadsheet, body: Body) -> None:
    del _protection(state, body["protectedRangeId"])[body["protectedRangeId"]]


def _create_mark(state: Spreadsheet, body: Body) -> None:
    mark = dict(body["developerMetadata"])
    if mark["metadataId"] in state.marks:
        raise RefusedError(f"Developer metadata with ID {mark['metadataId']} already exists")
    location = mark.pop("location")
    tab: Tab | None = None
    line: Line | None = None
    if "dimensionRange" in location:
        tab, lines, start, end = _dimension(state, location["dimensionRange"])
        if end - start != 1 or end > len(lines):
            raise RefusedError("a mark stands on one row or column of the grid")
        line = lines[start]
    elif "sheetId" in location:
        tab = state.tab(location["sheetId"])
    state.marks[mark["metadataId"]] = (mark, tab, line)


def _delete_mark(state: Spreadsheet, body: Body) -> None:
    """Where nothing matches, nothing is deleted, and nothing is refused."""
    lookup = body["dataFilter"]["developerMetadataLookup"]
    known = {"metadataId", "metadataValue", "metadataLocation", "locationMatchingStrategy"}
    if not set(lookup) <= known:
        raise RefusedError(f"{set(lookup) - known} is not known here")
    number = lookup["metadataId"]
    if number not in state.marks:
        return
    if "metadataValue" in lookup and state.marks[number][0].get("metadataValue") != lookup["metadataValue"]:
        return
    if "metadataLocation" in lookup:
        here = state.mark_of(number)["location"]
        if any(here.get(key) != value for key, value in lookup["metadataLocation"].items()):
            return
    del state.marks[number]


_ACTIONS: dict[str, Callable[[Spreadsheet, Body], None]] = {
    "addSheet": _add_sheet,
    "deleteSheet": _delete_sheet,
    "updateSheetProperties": _sheet_properties,
    "updateDimensionProperties": _dimension_properties,
    "insertDimension": _insert_dimension,
    "deleteDimension": _delete_dimension,
    "updateCells": _update_cells,
    "repeatCell": _repeat_cell,
    "mergeCells": _merge,
    "unmergeCells": _unmerge,
    "addConditionalFormatRule": _add_rule,
    "deleteConditionalFormatRule": _delete_rule,
    "addProtectedRange": _add_protection,
    "updateProtectedRange": _update_protection,
    "deleteProtectedRange": _delete_protection,
    "createDeveloperMetadata": _create_mark,
    "deleteDeveloperMetadata": _delete_mark,
}
