"""Cells in columns on a terminal, as wide as it is. No word or number is broken."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import click
from rich.cells import cell_len

Style = Mapping[str, Any]
"""What `click.style` makes of it."""
PLAIN: Style = {}
BOLD: Style = {"bold": True}
DIM: Style = {"dim": True}
FIXED = "\N{NO-BREAK SPACE}"
"""A blank at which a cell is not broken; text from outside has none, `visible` escapes it."""

_GAP = "  "
"""Between columns, and before what stands below a row."""
_BETWEEN_WORDS = re.compile(r" (?!(?:%|[KMGT]iB|min|h|s)(?:\W|$))")
_SHORT_NOTE = 20
"""A column whose notes take no more columns of the terminal keeps them."""


class Shown(NamedTuple):
    """A cell: its text, and its note after it."""

    text: str
    style: Style = PLAIN
    note: str = ""

    @property
    def words(self) -> list[tuple[str, Style]]:
        text = [(word, self.style) for word in self.text.split(" ")] if self.text else []
        return [*text, *((word, DIM) for word in self.note.split(" "))] if self.note else text

    @property
    def width(self) -> int:
        """Columns of the terminal that it takes on one line."""
        return cell_len(self.text) + (cell_len(self.note) + bool(self.text) if self.note else 0)

    @property
    def least_width(self) -> int:
        """Columns of the terminal that its longest word takes."""
        return max((cell_len(word) for word, _ in self.words), default=0)

    def used_width(self, width: int) -> int:
        """Columns of the terminal that its longest line takes in a column of that width."""
        words = [word for word, _ in self.words]
        return max(cell_len(" ".join(words[part])) for part in _parts(words, width))

    def lines(self, width: int, *, is_right: bool = False) -> list[str]:
        """The cell in a column of that width, aligned to the left or to the right."""
        words = self.words
        lines = []
        for part in _parts([word for word, _ in words], width):
            blanks = " " * (width - cell_len(" ".join(word for word, _ in words[part])))
            line = " ".join(
                styled(" ".join(word for word, _ in same).replace(FIXED, " "), style)
                for style, same in groupby(words[part], key=itemgetter(1))
            )
            lines.append(blanks + line if is_right else line + blanks)
        return lines


class Columns(NamedTuple):
    """A header and the rows below it; `numbers` tells which columns are aligned to the right."""

    header: Sequence[Shown]
    numbers: Sequence[bool]
    rows: Sequence[Sequence[Shown]]

    @property
    def least_width(self) -> int:
        """Columns of the terminal in which every cell has room for its longest word."""
        return _sum(max(cell.least_width for cell in cells) for cells in self._cells())

    def _cells(self) -> Iterator[tuple[Shown, ...]]:
        """Those of each column, its title first."""
        return zip(self.header, *self.rows, strict=True)

    def drawn(self, width: int) -> tuple[list[str], int]:
        """The lines in a terminal of that width, and how many columns have room. The first ones tell most.

        Where the rows do not fit on a line each, long notes stand below their row, across the whole width.
        """
        rows: Sequence[Sequence[Shown]] = self.rows
        below: Sequence[Sequence[str]] = [[""] * len(self.header)] * len(rows)
        if _sum(max(cell.width for cell in cells) for cells in self._cells()) > width:
            longs = [max(cell_len(cell.note) for cell in cells) > _SHORT_NOTE for cells in self._cells()]
            below = [
                [cell.note if long else "" for cell, long in zip(row, longs, strict=True)] for row in rows
            ]
            rows = [
                [cell._replace(note="") if long else cell for cell, long in zip(row, longs, strict=True)]
                for row in rows
            ]
        columns = list(zip(self.header, *rows, strict=True))
        least = [max(cell.least_width for cell in cells) for cells in columns]
        count = len(columns)
        while count > 1 and _sum(least[:count]) > width:
            count -= 1
        widths = _widths(columns[:count], width - len(_GAP) * (count - 1))
        lines = self._beside(self.header, widths, is_header=True)
        for row, notes in zip(rows, below, strict=True):
            lines += self._beside(row, widths)
            for note in filter(None, notes[:count]):
                lines += [f"{_GAP}{styled(line, DIM)}" for line in wrapped(note, width - len(_GAP))]
        return lines, count

    def _beside(self, row: Sequence[Shown], widths: Sequence[int], *, is_header: bool = False) -> list[str]:
        """The lines of a row; a header stands at the bottom of its lines, other cells at the top."""
        cells = [
            cell.lines(width, is_right=is_number)
            for cell, width, is_number in zip(row, widths, self.numbers, strict=False)
        ]
        height = max(map(len, cells))
        filled = []
        for lines, width in zip(cells, widths, strict=True):
            empty = [" " * width] * (height - len(lines))
            filled.append(empty + lines if is_header else lines + empty)
        return [_GAP.join(parts).rstrip() for parts in zip(*filled, strict=True)]


def styled(text: str, style: Style) -> str:
    return click.style(text, **style) if style and text else text


def wrapped(line: str, width: int) -> list[str]:
    """A line, broken between words where it is wider; a number keeps its unit."""
    words = _BETWEEN_WORDS.split(line)
    return [" ".join(words[part]) for part in _parts(words, width)]


def _parts(words: Sequence[str], width: int) -> Iterator[slice]:
    """Which words stand on which line of that width; one that is wider has a line to itself."""
    first = used = 0
    for place, word in enumerate(words):
        length = cell_len(word)
        if place > first and used + 1 + length > width:
            yield slice(first, place)
            first, used = place, length
        else:
            used += length + (place > first)
    yield slice(first, len(words))


def _sum(widths: Iterator[int] | Sequence[int]) -> int:
    """Columns of the terminal that columns of these widths take side by side."""
    each = list(widths)
    return sum(each) + len(_GAP) * (len(each) - 1)


def _widths(columns: Sequence[Sequence[Shown]], width: int) -> list[int]:
    """The width of each column, which has at least its longest word."""
    least = [max(cell.least_width for cell in cells) for cells in columns]
    most = [max(cell.width for cell in cells) for cells in columns]
    shared = _shared(width, list(zip(least, most, strict=True)))
    used = [
        max(cell.used_width(given) for cell in cells) for cells, given in zip(columns, shared, strict=True)
    ]
    # What a column cannot use goes to those whose cells then fit on a line each.
    left = width - sum(used)
    for place in sorted(range(len(used)), key=lambda place: most[place] - used[place]):
        if (more := most[place] - used[place]) <= left:
            used[place] += more
            left -= more
    return used


def _shared(width: int, needs: Sequence[tuple[int, int]]) -> list[int]:
    """A share of the width for each column with these least and greatest needs.

    Those that need least more than the least get it first.
    """
    given = [least for least, _ in needs]
    left = max(0, width - sum(given))
    by_need = sorted(range(len(needs)), key=lambda place: needs[place][1] - needs[place][0])
    for number, place in enumerate(by_need):
        least, most = needs[place]
        more = min(most - least, left // (len(needs) - number))
        given[place] += more
        left -= more
    return given
