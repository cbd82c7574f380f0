"""Which cells of a tab have to be written, given what it shows already. Pure."""

from collections.abc import Sequence

from backend.sheets.google.cells import FIELDS, Values

Grid = Sequence[Sequence[Values]]
"""CellData by row and column; what is not there is blank."""

_GAP = 2
"""So many unchanged cells between two changed ones are written along with them."""
_MOST_REQUESTS = 400
_VALUE = "userEnteredValue"


def whole(grid: Grid, sheet_id: int) -> list[Values]:
    """Writes every cell of the tab, those that `grid` leaves out as blank."""
    rows = [{"values": list(row)} for row in grid]
    return [{"updateCells": {"range": {"sheetId": sheet_id}, "rows": rows, "fields": FIELDS}}]


def changes(before: Grid, after: Grid, sheet_id: int, size: tuple[int, int]) -> list[Values]:
    """Writes the cells that differ, in rectangles; `size` is how many rows and columns the tab has."""
    batch: list[Values] = []
    open_from = 0
    open_parts: list[tuple[int, int]] = []
    for at in range(size[0] + 1):
        parts = _parts(_row(before, at), _row(after, at), size[1]) if at < size[0] else []
        if parts != open_parts:
            batch += [_rectangle(before, after, sheet_id, (open_from, at), part) for part in open_parts]
            open_from, open_parts = at, parts
    return batch if len(batch) <= _MOST_REQUESTS else whole(after, sheet_id)


def is_shown(grid: Grid, column: Sequence[str], row: Sequence[str]) -> bool:
    """Whether the first column and the first row that a tab shows still have the texts of `grid`."""
    down = [_text(line[0]) if line else "" for line in grid]
    across = [_text(cell) for cell in grid[0]] if grid else []
    return _agree(down, column) and _agree(across, row)


def _agree(wanted: Sequence[str | None], shown: Sequence[str]) -> bool:
    """None stands for a cell whose text depends on its format."""
    length = max(len(wanted), len(shown))
    padded = [*shown, *[""] * (length - len(shown))]
    expected = [*wanted, *[""] * (length - len(wanted))]
    return all(ours is None or ours == theirs for ours, theirs in zip(expected, padded, strict=True))


def _text(cell: Values) -> str | None:
    value = cell.get(_VALUE)
    return "" if value is None else value.get("stringValue")


def _row(grid: Grid, at: int) -> Sequence[Values]:
    return grid[at] if at < len(grid) else ()


def _cell(row: Sequence[Values], at: int) -> Values:
    return row[at] if at < len(row) else {}


def _parts(before: Sequence[Values], after: Sequence[Values], width: int) -> list[tuple[int, int]]:
    """First and last place of each stretch that differs."""
    parts: list[tuple[int, int]] = []
    for at in range(min(max(len(before), len(after)), width)):
        if _cell(before, at) == _cell(after, at):
            continue
        if parts and at - parts[-1][1] <= _GAP + 1:
            parts[-1] = (parts[-1][0], at)
        else:
            parts.append((at, at))
    return parts


def _rectangle(
    before: Grid, after: Grid, sheet_id: int, rows: tuple[int, int], columns: tuple[int, int]
) -> Values:
    places = range(columns[0], columns[1] + 1)
    pairs = [
        [(_cell(_row(before, row), at), _cell(_row(after, row), at)) for at in places] for row in range(*rows)
    ]
    fields = FIELDS
    if all(_looks(old) == _looks(new) for line in pairs for old, new in line):
        fields = _VALUE
        values = [[{_VALUE: new[_VALUE]} if _VALUE in new else {} for _, new in line] for line in pairs]
    else:
        values = [[new for _, new in line] for line in pairs]
    start = {"sheetId": sheet_id, "rowIndex": rows[0], "columnIndex": columns[0]}
    return {"updateCells": {"start": start, "rows": [{"values": line} for line in values], "fields": fields}}


def _looks(cell: Values) -> Values:
    return {name: part for name, part in cell.items() if name != _VALUE}
