"""What a tab shows, in terms that a spreadsheet, a web page and a workbook file can all draw.

A Table is a stack of Sections, each with a header and rows of cells. Cells hold values, never formulas,
and text stays text, whatever it looks like.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Format = Literal[
    "text",
    "integer",  # 94,768
    "decimal",  # 0.1234, four places
    "number",  # as short as it is exact: 12.5
    "percent",  # of a fraction: 0.41 -> 41 %
    "accuracy",  # of a fraction: 0.9533 -> 95.33 %
    "points",  # percentage points, of a difference of fractions: -0.0125 -> -1.25 pp
    "gib",  # 47.1 GiB
    "seconds",  # of a duration: 754 -> 12 min 34 s
    "time",  # of an ISO 8601 UTC string: local time in a sheet, "4 s ago" on a page
]

Tone = Literal[
    "idle", "busy", "full", "overloaded", "stale", "down", "maintenance", "good", "bad", "soft"
]  # fmt: skip
"""A meaning that is also shown by colour; the word itself always stands in the cell."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Sound(_Part):
    """A test clip of a run, where it can be played."""

    run: str
    clip: str


class Text(_Part):
    """A value with a meaning: `tone` and `note` (shown after it, less prominently), or a link to another tab."""

    kind: Literal["text"] = "text"
    text: str
    tone: Tone | None = None
    note: str = ""
    bold: bool = False
    tab: str | None = None
    sound: Sound | None = None
    is_command: bool = False
    """Whether it is a command line, which the page offers to copy."""


class Number(_Part):
    """A number that does not follow its column: another format, bold, or a meaning."""

    kind: Literal["number"] = "number"
    value: float | None
    format: Format = "decimal"
    bold: bool = False
    tone: Tone | None = None
    tab: str | None = None
    """The tab that it leads to."""
    spread: float | None = None
    """The standard deviation of the `count` numbers whose mean it is: shown as `95.33 % ± 0.41 (3)`."""
    count: int = 1


class Bars(_Part):
    """Small horizontal bars side by side, such as one a GPU; each 0..1, None where not known."""

    kind: Literal["bars"] = "bars"
    fractions: tuple[float | None, ...]
    behind: tuple[float | None, ...] = ()
    """A light bar behind each: a second quantity, such as memory; empty where there is none."""
    label: str
    """The same in words, for people who cannot see the bars."""


class Spark(_Part):
    """A curve the size of a cell. `low` and `high` fix its scale; None where not known."""

    kind: Literal["spark"] = "spark"
    values: tuple[float | None, ...]
    style: Literal["line", "column"] = "line"
    low: float | None = None
    high: float | None = None
    label: str
    """The same in words."""


Cell = (
    bool | int | float | str | None
    | Annotated[Text | Number | Bars | Spark, Field(discriminator="kind")]
)  # fmt: skip


class Column(_Part):
    title: str
    format: Format = "text"
    width: int = 12
    """In characters, of one grid column."""
    span: int = 1
    """How many grid columns its numbers and curves take in a sheet; text flows into the next columns without that."""
    heat: bool = False
    """Whether its numbers take part in the section's heat map."""
    is_choice: bool = False
    """Whether it is one choice of a recipe, which the page tells once where all rows have the same."""


class Picture(_Part):
    """A PNG, shown below the section's rows: a figure of a run, or the picture of a comparison of two."""

    run: str = ""
    figure: str = ""
    comparison: tuple[str, str] | None = None
    alt: str


class Section(_Part):
    title: str = ""
    note: str = ""
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...] = ()
    levels: tuple[int, ...] = ()
    """One a row, or empty. 1: a detail of the row of level 0 above it. The page shows details once that row is
    opened, an .xlsx file as an outline; a Google sheet and a terminal show none."""
    is_list: bool = False
    """Whether people sort, search and filter its rows."""
    row_headers: bool = True
    """Whether the first column names its row."""
    heat: Literal["none", "count", "good", "difference"] = "none"
    """`count`: white to blue from 0 to the largest; `good`: white to blue over the section's range;
    `difference`: orange over white at 0 to blue, as far to either side."""
    empty: str = ""
    """Shown when there are no rows."""
    pictures: tuple[Picture, ...] = ()

    @model_validator(mode="after")
    def _has_a_cell_for_each_column(self) -> Self:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("a row has more or fewer cells than there are columns")
        if self.levels and len(self.levels) != len(self.rows):
            raise ValueError("there are more or fewer levels than rows")
        return self

    @property
    def without_details(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows that are no details of another one."""
        return (
            tuple(row for row, level in zip(self.rows, self.levels, strict=True) if not level)
            if self.levels
            else self.rows
        )


class Table(_Part):
    name: str
    rank: int
    """Where its tab stands among the others: the lowest rank first, equal ranks by name."""
    sections: Annotated[tuple[Section, ...], Field(min_length=1)]
