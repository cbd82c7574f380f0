"""Tables and data on a terminal."""

import re
import shutil
from collections.abc import Sequence
from datetime import datetime

import click
from pydantic import BaseModel, TypeAdapter
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text as Words

from backend.sheets.formats import SIGNS
from backend.sheets.table import Bars, Cell, Column, Format, Number, Section, Spark, Table, Text, Tone
from backend.text import visible
from backend.times import duration

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
_BLOCKS = "▁▂▃▄▅▆▇█"
_NOT_PRINTING = re.compile(r"[^\x20-\x7e\n]")


def _json_escape(match: re.Match[str]) -> str:
    """A character in a JSON string, escaped where it does not print."""
    if match[0].isprintable():
        return match[0]
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def say(text: str, *, err: bool = False) -> None:
    """Prints lines of text, on stderr where `err`."""
    click.echo("\n".join(map(visible, text.split("\n"))), err=err)


def show_json(content: object) -> None:
    """Data for programs, on stdout."""
    adapter: TypeAdapter[object] = TypeAdapter(type(content) if isinstance(content, BaseModel) else object)
    text = adapter.dump_json(content, indent=2).decode()
    click.echo(_NOT_PRINTING.sub(_json_escape, text))


def show_table(table: Table) -> None:
    """What the tab of the same name shows."""
    terminal = Console()
    width = terminal.width if terminal.is_terminal else max(shutil.get_terminal_size().columns, 200)
    console = Console(width=width, highlight=False, emoji=False, markup=False)
    for section in table.sections:
        if section.title:
            console.print(visible(section.title), style="bold")
        if not section.rows:
            console.print(visible(section.empty), style="dim")
            continue
        console.print(_grid(section))
        if section.note:
            console.print(visible(section.note), style="dim")


def _grid(section: Section) -> Grid:
    grid = Grid(box=None, pad_edge=False, header_style="dim")
    shown = [place for place, column in enumerate(section.columns) if column.title != "Again"]
    for place in shown:
        column = section.columns[place]
        is_number = column.format not in ("text", "time")
        grid.add_column(visible(column.title), justify="right" if is_number else "left", overflow="fold")
    for row in section.rows:
        grid.add_row(*(_words(row[place], section.columns[place]) for place in shown))
    return grid


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
