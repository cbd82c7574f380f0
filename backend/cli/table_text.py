"""Tables as text for other programs: CSV, Markdown and LaTeX, sorted and cut as a person asks."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import click

from backend.cli.show import formatted, show_json, show_table
from backend.sheets.table import Bars, Cell, Column, Number, Section, Spark, Table, Text
from backend.text import visible

Shape = Literal["csv", "md", "latex", "json"]
Command = TypeVar("Command", bound=Callable[..., Any])

_LATEX = {
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}",
    "·": r"$\cdot$", "±": r"$\pm$", "★": r"$\star$",
}  # fmt: skip
_NOT_PRINTED = ("Again",)


def table_options(command: Command) -> Command:
    """Adds --format, --sort and --columns."""
    for option in (
        click.option(
            "--columns", metavar="TITLE,...", help="Only these columns, such as 'training,test accuracy'."
        ),
        click.option(
            "--sort", metavar="TITLE", help="By this column: numbers from high to low, words from A to Z."
        ),
        click.option("--format", "shape", type=click.Choice(["csv", "md", "latex", "json"])),
    ):
        command = option(command)
    return command


def print_table(
    table: Table,
    shape: Shape | None,
    *,
    sort: str | None = None,
    columns: str | None = None,
    limit: int | None = None,
) -> None:
    """Prints a table; without `shape` as people read it on a terminal.

    Raises:
        click.BadParameter: there is no such column.
    """
    sections = [_cut(section, sort, columns, limit) for section in table.sections]
    if shape is None:
        show_table(table.model_copy(update={"sections": tuple(sections)}))
    elif shape == "json":
        show_json([row for section in sections for row in _records(section)])
    else:
        write = {"csv": as_csv, "md": as_markdown, "latex": as_latex}[shape]
        text = "\n".join(write(section) for section in sections).rstrip("\n")
        # Other programs read it, from a terminal too: no line is broken for people.
        click.echo("\n".join(map(visible, text.split("\n"))))


def _cut(section: Section, sort: str | None, columns: str | None, limit: int | None) -> Section:
    rows = section.without_details
    if sort and rows:
        place = _place(section, sort)
        known = [row for row in rows if _key(row[place]) is not None]
        words = any(isinstance(_key(row[place]), str) for row in known)
        known.sort(
            key=lambda row: str(_key(row[place])).casefold() if words else _key(row[place]), reverse=not words
        )
        rows = (*known, *(row for row in rows if _key(row[place]) is None))
    shown = [place for place, column in enumerate(section.columns) if column.title not in _NOT_PRINTED]
    if columns and section.columns:
        shown = [_place(section, title) for title in columns.split(",")]
    return section.model_copy(
        update={
            "columns": tuple(section.columns[place] for place in shown),
            "rows": tuple(tuple(row[place] for place in shown) for row in rows[:limit]),
            "levels": (),
        }
    )


def _place(section: Section, title: str) -> int:
    titles = [column.title.casefold() for column in section.columns]
    try:
        return titles.index(title.strip().casefold())
    except ValueError:
        known = ", ".join(column.title for column in section.columns if column.title)
        raise click.BadParameter(f"There is no column {title.strip()!r}: choose from {known}.") from None


def _key(cell: Cell) -> Any:
    """What a cell is sorted by; None where it is empty."""
    value = _value(cell)
    return None if value == "" else value


def _value(cell: Cell) -> bool | int | float | str | None:
    """A cell without its looks."""
    match cell:
        case Number():
            return cell.value
        case Text():
            return cell.text
        case Bars() | Spark():
            return cell.label
        case _:
            return cell


def _records(section: Section) -> list[dict[str, object]]:
    return [dict(_named(section, row)) for row in section.rows]


def _named(section: Section, row: Sequence[Cell]) -> list[tuple[str, object]]:
    """The values of a row by the names of their columns; a mean has its deviation and count beside it."""
    named: list[tuple[str, object]] = []
    for place, (column, cell) in enumerate(zip(section.columns, row, strict=True)):
        named.append((column.title, _value(cell)))
        if any(isinstance(each[place], Number) and each[place].spread is not None for each in section.rows):  # type: ignore[union-attr]
            is_mean = isinstance(cell, Number) and cell.spread is not None
            named.append((f"{column.title} sd", cell.spread if is_mean else None))  # type: ignore[union-attr]
            named.append((f"{column.title} n", cell.count if isinstance(cell, Number) else None))
    return named


def as_csv(section: Section) -> str:
    """Numbers as they are: an accuracy is a fraction."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    named = [_named(section, row) for row in section.rows]
    writer.writerow([name for name, _ in named[0]] if named else [column.title for column in section.columns])
    writer.writerows([["" if value is None else value for _, value in row] for row in named])
    return text.getvalue()


def as_markdown(section: Section) -> str:
    """The best of each column of accuracies is bold."""
    lines = [_markdown_row(_title(column) for column in section.columns)]
    lines.append(_markdown_row("---:" if _is_number(column) else "---" for column in section.columns))
    best = _best(section)
    for row in section.rows:
        cells = []
        for place, (column, cell) in enumerate(zip(section.columns, row, strict=True)):
            words = _words(cell, column).replace("|", r"\|").replace("\n", " ")
            cells.append(f"**{words}**" if words and _value(cell) == best.get(place) else words)
        lines.append(_markdown_row(cells))
    return "\n".join(lines) + "\n"


def _markdown_row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def as_latex(section: Section) -> str:
    """A `tabular` with the rules of the package booktabs; the best of each column of accuracies is bold."""
    shape = "".join("r" if _is_number(column) else "l" for column in section.columns)
    lines = [rf"\begin{{tabular}}{{{shape}}}", r"\toprule"]
    lines.append(" & ".join(_escaped(_title(column)) for column in section.columns) + r" \\")
    lines.append(r"\midrule")
    best = _best(section)
    for row in section.rows:
        cells = []
        for place, (column, cell) in enumerate(zip(section.columns, row, strict=True)):
            words = _escaped(_words(cell, column))
            cells.append(rf"\textbf{{{words}}}" if words and _value(cell) == best.get(place) else words)
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _escaped(text: str) -> str:
    return re.sub("|".join(map(re.escape, _LATEX)), lambda match: _LATEX[match[0]], text).replace("\n", " ")


def _is_number(column: Column) -> bool:
    return column.format not in ("text", "time")


def _title(column: Column) -> str:
    return f"{column.title} (%)" if column.format == "accuracy" else column.title


def _words(cell: Cell, column: Column) -> str:
    """A cell as a paper writes it; accuracies in per cent, whose sign stands in the title."""
    value = _value(cell)
    if value is None:
        return ""
    if isinstance(value, bool | str):
        note = f" ({cell.note})" if isinstance(cell, Text) and cell.note else ""
        return f"{value}{note}"
    shape = cell.format if isinstance(cell, Number) else column.format
    if shape == "accuracy" and column.format == "accuracy":
        words = f"{100 * value:.2f}"
        if isinstance(cell, Number) and cell.spread is not None:
            words += f" ± {100 * cell.spread:.2f} ({cell.count})"
        return words
    return formatted(value, shape)


def _best(section: Section) -> dict[int, float]:
    """The highest accuracy of each column, by its place; none in a column with a single one."""
    best = {}
    for place, column in enumerate(section.columns):
        values = [_value(row[place]) for row in section.rows]
        known = [value for value in values if isinstance(value, int | float)]
        if column.format == "accuracy" and len(known) > 1:
            best[place] = max(known)
    return best
