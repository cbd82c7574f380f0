"""Tables and data on a terminal."""

import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from datetime import datetime

import click
from pydantic import BaseModel, TypeAdapter
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text as Words

from backend.sheets.formats import SIGNS, spread_in_words
from backend.sheets.table import Bars, Cell, Column, Format, Number, Section, Spark, Table, Text, Tone
from backend.text import visible
from backend.times import duration

as_json = click.option("--json", "is_json", is_flag=True, help="Data for programs, on stdout.")

_STYLES: dict[Tone, str] = {
    "idle": "green",
    "busy": "blue",
    "full": "yellow",
    "overloaded": "bright_red",
    "stale": "dim",
    "down": "red",
    "maintenance": "dim",
    "good": "green",
    "bad": "red",
    "soft": "dim",
}
"""The terminal's own colours, which suit its background."""
_GAP = 2
"""Columns of the terminal after each column of a table."""
_BLOCKS = "▁▂▃▄▅▆▇█"
_NOT_PRINTING = re.compile(r"[^\x20-\x7e\n]")


def _json_escape(match: re.Match[str]) -> str:
    """A character in a JSON string, escaped where it does not print."""
    if match[0].isprintable():
        return match[0]
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def say(text: str, *, err: bool = False) -> None:
    """Prints lines of text, on stderr where `err`; a terminal gets no line that it would break within a word."""
    lines = [visible(line) for line in text.split("\n")]
    if (sys.stderr if err else sys.stdout).isatty():
        width = shutil.get_terminal_size().columns
        lines = [part for line in lines for part in _wrapped(line, width)]
    click.echo("\n".join(lines), err=err)


def _wrapped(line: str, width: int) -> list[str]:
    if cell_len(line) <= width:
        return [line]
    return textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [line]


def show_json(content: object) -> None:
    """Data for programs, on stdout."""
    adapter: TypeAdapter[object] = TypeAdapter(type(content) if isinstance(content, BaseModel) else object)
    text = adapter.dump_json(content, indent=2).decode()
    click.echo(_NOT_PRINTING.sub(_json_escape, text))


def show_table(table: Table) -> None:
    """What the tab of the same name shows. Outside a terminal every column is shown, however wide that is."""
    terminal = Console()
    for section in table.sections:
        width = terminal.width
        if not terminal.is_terminal:
            width = max(shutil.get_terminal_size().columns, 200, _least_width(section))
        console = Console(width=width, highlight=False, emoji=False, markup=False)
        if section.title:
            console.print(visible(section.title), style="bold")
        if not section.rows:
            console.print(visible(section.empty), style="dim")
            continue
        grid, left_out = _grid(section, width)
        console.print(grid)
        if left_out:
            console.print(f"Not shown for want of width: {', '.join(left_out)}", style="dim")
        if section.note:
            console.print(visible(section.note), style="dim")


def _least_width(section: Section) -> int:
    """The width in which every column has room for its longest word."""
    columns = [
        [column.title, *(_words(row[place], column).plain for row in section.without_details)]
        for place, column in enumerate(section.columns)
    ]
    return sum(max(map(_longest_word, texts)) + _GAP for texts in columns)


def _grid(section: Section, width: int) -> tuple[Grid, list[str]]:
    """The table in a terminal of that width, and the titles of the columns that have no room.

    The first columns tell most. A column is never narrower than its longest word or number.
    """
    titles = [visible(column.title) for column in section.columns]
    shown = [place for place, column in enumerate(section.columns) if column.title != "Again"]
    rows = [
        {place: _words(row[place], section.columns[place]) for place in shown}
        for row in section.without_details
    ]
    least = {
        place: max(map(_longest_word, [titles[place], *(row[place].plain for row in rows)]))
        for place in shown
    }
    while len(shown) > 1 and sum(least[place] + _GAP for place in shown) > width:
        shown.pop()
    most = {
        place: max(map(_longest_line, [titles[place], *(row[place].plain for row in rows)]))
        for place in shown
    }
    widths = _shared(width - _GAP * len(shown), [(least[place], most[place]) for place in shown])
    grid = Grid(box=None, padding=(0, _GAP, 0, 0), header_style="dim")
    for place, given in zip(shown, widths, strict=True):
        is_number = section.columns[place].format not in ("text", "time")
        grid.add_column(titles[place], justify="right" if is_number else "left", overflow="fold", width=given)
    for row in rows:
        grid.add_row(*(row[place] for place in shown))
    return grid, [title for place, title in enumerate(titles) if place not in shown and title != "Again"]


def _shared(width: int, needs: Sequence[tuple[int, int]]) -> list[int]:
    """The width of each column, which has at least its longest word; those that need least more get it first."""
    given = [least for least, _ in needs]
    left = max(0, width - sum(given))
    by_need = sorted(range(len(needs)), key=lambda place: needs[place][1] - needs[place][0])
    for number, place in enumerate(by_need):
        least, most = needs[place]
        more = min(most - least, left // (len(needs) - number))
        given[place] += more
        left -= more
    return [max(1, min(each, width)) for each in given]


def _longest_line(text: str) -> int:
    """Columns of the terminal that it takes."""
    return max(map(cell_len, text.split("\n")), default=0)


def _longest_word(text: str) -> int:
    """Columns of the terminal that it takes."""
    return max(map(cell_len, text.split()), default=0)


def _words(cell: Cell, column: Column) -> Words:
    match cell:
        case None:
            return Words("")
        case Text():
            sign = SIGNS.get(cell.tone) if cell.tone else None
            style = "bold" if cell.bold else _STYLES[cell.tone] if cell.tone else ""
            words = Words(f"{sign} {visible(cell.text)}" if sign else visible(cell.text), style=style)
            return words.append(f" {visible(cell.note)}", style="dim") if cell.note else words
        case Number():
            text = "" if cell.value is None else formatted(cell.value, cell.format)
            if spread := spread_in_words(cell):
                text = f"{text} {spread}"
            return Words(text, style="bold" if cell.bold else "")
        case Bars():
            return Words(" ".join("?" if share is None else f"{share:.0%}" for share in cell.fractions))
        case Spark():
            return Words(_blocks(cell))
        case str() if column.format == "time":
            return Words(datetime.fromisoformat(cell).astimezone().strftime("%d %b %H:%M:%S"))
        case str() | bool():
            return Words(visible(str(cell)))
        case _:
            return Words(formatted(cell, column.format))


def formatted(value: float, shape: Format) -> str:
    """A number as people read it."""
    match shape:
        case "integer":
            return f"{value:,.0f}"
        case "decimal":
            return f"{value:.4f}"
        case "percent":
            return f"{value:.0%}"
        case "accuracy":
            return f"{value:.2%}"
        case "points":
            return f"{100 * value:+.2f} pp"
        case "gib":
            return f"{value:.1f} GiB"
        case "seconds":
            return duration(value, exact=True)
        case _:
            return str(value)


def _blocks(spark: Spark) -> str:
    known = [value for value in spark.values if value is not None]
    low = min(known, default=0) if spark.low is None else spark.low
    high = max(known, default=1) if spark.high is None else spark.high
    top = len(_BLOCKS) - 1
    scale = top / (high - low) if high > low else 0
    return "".join(
        " " if value is None else _BLOCKS[max(0, min(top, round((value - low) * scale)))]
        for value in _thinned(spark.values, 20)
    )


def _thinned(values: Sequence[float | None], most: int) -> Sequence[float | None]:
    if len(values) <= most:
        return values
    return [values[place * len(values) // most] for place in range(most)]
