"""How spreadsheets write numbers and colour meanings, in Google as in an .xlsx file."""

from backend.sheets.table import Format, Number, Tone

NUMBER_FORMATS: dict[Format, str] = {
    "text": "General",
    "integer": "#,##0",
    "decimal": "0.0000",
    "number": "General",
    "percent": "0%",
    "accuracy": "0.00%",
    "points": '+0.00" pp";-0.00" pp";0.00" pp"',
    "gib": '0.0" GiB"',
    "seconds": '[h]"h" mm"min" ss"s"',
    "time": "yyyy-mm-dd hh:mm:ss",
}


def pattern(cell: Number) -> str:
    """How a number of its own format is written; the spread stands in the pattern, so that it stays a number."""
    shape = NUMBER_FORMATS[cell.format]
    return f'{shape}" {spread}"' if (spread := spread_in_words(cell)) else shape


def spread_in_words(cell: Number) -> str:
    """Such as `± 0.41 (3)`, the spread in the unit of the number; empty for a single number."""
    if cell.spread is None or cell.value is None:
        return ""
    is_share = cell.format in ("accuracy", "percent", "points")
    return f"± {100 * cell.spread:.2f} ({cell.count})" if is_share else f"± {cell.spread:.4g} ({cell.count})"


INK = "#1F2328"
ACCENT = "#0B57D0"
"""Of links and curves."""
HEADER = "#F0F2F5"
"""Behind the titles of columns."""
WHITE, MORE, LESS = "#FFFFFF", "#6A9BE8", "#E89A5A"
"""The colours of heat maps: none, much, and, of differences, much to the other side."""

TONES: dict[Tone, str] = {
    "idle": "#007A5A",
    "busy": "#0B57D0",
    "full": "#8A5A00",
    "overloaded": "#B3400A",
    "stale": "#5F6B7A",
    "down": "#8C1D40",
    "maintenance": "#5F6B7A",
    "good": "#007A5A",
    "bad": "#8C1D40",
    "soft": "#5F6B7A",
}
"""The colour of each meaning. The style sheets of the page and the add-on have the same."""
SIGNS: dict[Tone, str] = {
    "idle": "○",
    "busy": "●",
    "full": "◆",
    "overloaded": "▲",
    "stale": "◌",
    "down": "✕",
    "maintenance": "◇",
}
"""The sign before a state, for people who cannot see the colour."""


def stored(value: float, shape: Format) -> float:
    """Spreadsheets count time in days, and scale a number only for a per cent sign."""
    match shape:
        case "seconds":
            return value / 86_400
        case "points":
            return value * 100
        case _:
            return value
