"""Tables and data on a terminal."""

import os
import re
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime

import click
from pydantic import BaseModel, TypeAdapter

from backend.cli.grid import BOLD, DIM, FIXED, PLAIN, Columns, Shown, Style, styled, wrapped
from backend.sheets.formats import SIGNS, spread_in_words
from backend.sheets.table import Bars, Cell, Column, Format, Number, Section, Spark, Table, Text, Tone
from backend.text import visible
from backend.times import duration

as_json = click.option("--json", "is_json", is_flag=True, help="Data for programs, on stdout.")

_STYLES: dict[Tone, Style] = {
    "idle": {"fg": "green"},
    "busy": {"fg": "blue"},
    "full": {"fg": "yellow"},
    "overloaded": {"fg": "bright_red"},
    "stale": DIM,
    "down": {"fg": "red"},
    "maintenance": DIM,
    "good": {"fg": "green"},
    "bad": {"fg": "red"},
    "soft": DIM,
}
"""The terminal's own colours, which suit its background."""
_BARS_BESIDE = 4
"""How many bars of a cell always stand side by side."""
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
        lines = [part for line in lines for part in wrapped(line, width)]
    click.echo("\n".join(lines), err=err)


def show_json(content: object) -> None:
    """Data for programs, on stdout."""
    adapter: TypeAdapter[object] = TypeAdapter(type(content) if isinstance(content, BaseModel) else object)
    text = adapter.dump_json(content, indent=2).decode()
    click.echo(_NOT_PRINTING.sub(_json_escape, text))


def show_table(table: Table) -> None:
    """What the tab of the same name shows. Outside a terminal every column is shown, however wide that is."""
    for section in table.sections:
        if section.title:
            _print(styled(visible(section.title), BOLD))
        if not section.rows:
            _print(styled(visible(section.empty), DIM))
            continue
        columns, titles = _columns(section)
        width = shutil.get_terminal_size().columns
        if not sys.stdout.isatty():
            width = max(width, 200, columns.least_width)
        lines, count = columns.drawn(width)
        _print("\n".join(lines))
        notes = [f"Not shown for want of width: {', '.join(titles[count:])}"] if titles[count:] else []
        for note in (*notes, *([visible(section.note)] if section.note else [])):
            _print("\n".join(styled(line, DIM) for line in wrapped(note, width)))


def _print(text: str) -> None:
    """Prints text that may have colours; they are left out where people or the terminal want none."""
    is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    click.echo(text, color=False if is_plain else None)


def _columns(section: Section) -> tuple[Columns, list[str]]:
    """The section as it is drawn on a terminal, and the titles of its columns."""
    places = [place for place, column in enumerate(section.columns) if column.title != "Again"]
    titles = [visible(section.columns[place].title) for place in places]
    return Columns(
        header=[Shown(title, DIM) for title in titles],
        numbers=[section.columns[place].format not in ("text", "time") for place in places],
        rows=[
            [_shown(row[place], section.columns[place]) for place in places]
            for row in section.without_details
        ],
    ), titles


def _shown(cell: Cell, column: Column) -> Shown:
    match cell:
        case None:
            return Shown("")
        case Text():
            sign = SIGNS.get(cell.tone) if cell.tone else None
            style = BOLD if cell.bold else _STYLES[cell.tone] if cell.tone else PLAIN
            text = f"{sign}{FIXED}{visible(cell.text)}" if sign else visible(cell.text)
            return Shown(text, style, visible(cell.note))
        case Number():
            text = "" if cell.value is None else formatted(cell.value, cell.format)
            if spread := spread_in_words(cell):
                text = f"{text} {spread}"
            return Shown(_fixed(text), BOLD if cell.bold else PLAIN)
        case Bars():
            shares = ["?" if share is None else f"{share:.0%}" for share in cell.fractions]
            lines = (shares[place : place + _BARS_BESIDE] for place in range(0, len(shares), _BARS_BESIDE))
            return Shown(" ".join(FIXED.join(line) for line in lines))
        case Spark():
            return Shown(_fixed(_blocks(cell)))
        case str() if column.format == "time":
            return Shown(datetime.fromisoformat(cell).astimezone().strftime(f"%d{FIXED}%b %H:%M:%S"))
        case str() | bool():
            return Shown(visible(str(cell)))
        case _:
            return Shown(_fixed(formatted(cell, column.format)))


def _fixed(text: str) -> str:
    """`text` that stays on one line: a number and its unit."""
    return text.replace(" ", FIXED)


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
