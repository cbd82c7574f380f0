"""What an analysis of a network found, as it is stored in the run folder. Needs no torch."""

import re
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from models.analyses import WHAT
from models.result import Line
from models.run_folder import RunFolder, write_atomically
from models.run_reader import BrokenRunError, parsed

Kind = Literal["text", "integer", "number", "share", "points", "curve", "moment"]
"""How a column is written; `share` and `points` are fractions, `moment` is a place in a test clip."""

_MOST_BYTES = 64 << 20
_MOST_ROWS = 20_000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Moment(_Part):
    """A moment of a test clip, `word/file.wav`."""

    clip: Line
    seconds: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


Finite = Annotated[float, Field(allow_inf_nan=False)]
Value = int | Finite | Line | tuple[Finite, ...] | Moment | None


class Quantity(_Part):
    """A column."""

    title: Line
    unit: Line = ""
    kind: Kind = "number"
    note: Line = ""

    @property
    def heading(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title


class Explanation(_Part):
    """One analysis of one run: a table with units, how to read it, and what it would be by chance."""

    what: Line
    run: Line
    other: Line = ""
    """The second run of `same`."""
    title: Line
    read: Annotated[str, Field(max_length=2000)]
    """One sentence: how to read the table and the picture."""
    null: Annotated[str, Field(max_length=2000)]
    """What the grey values are."""
    found: tuple[Annotated[str, Field(max_length=2000)], ...] = ()
    """The main numbers, in sentences."""
    notices: tuple[Annotated[str, Field(max_length=2000)], ...] = ()
    columns: tuple[Quantity, ...]
    rows: Annotated[tuple[tuple[Value, ...], ...], Field(max_length=_MOST_ROWS)]
    clips: int = 0
    """How many clips were measured."""
    seconds: float = 0
    """What it took."""
    made_at: AwareDatetime

    @property
    def figure(self) -> str:
        """The name of its picture among the figures of the run."""
        return f"explain_{self.what}"

    @property
    def tab(self) -> str:
        return f"{WHAT[self.what]} {self.run}"


def is_explanation_picture(figure: str) -> bool:
    return re.fullmatch(r"explain_\w+", figure) is not None


def write_explanation(folder: RunFolder, found: Explanation) -> None:
    folder.explanations.mkdir(exist_ok=True)
    write_atomically(folder.explanations / f"{found.what}.json", found.model_dump_json(indent=1))


def read_explanation(folder: RunFolder, what: str) -> Explanation | None:
    """The stored analysis; None where there is none. Raises: BrokenRunError."""
    return parsed(folder, folder.explanations / f"{what}.json", Explanation.model_validate_json, _MOST_BYTES)


def read_explanations(folder: RunFolder) -> list[Explanation]:
    """All that can be read, in the order in which they are shown."""
    found = []
    for what in WHAT:
        try:
            each = read_explanation(folder, what)
        except BrokenRunError:  # it is made again with one command
            continue
        if each:
            found.append(each)
    return found
