"""A reservation, and what a tab of them says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from backend.servers.logins import Contact
from backend.text import listed

_SHOWN_ROWS = 20


@dataclass(frozen=True)
class Reservation:
    """A server, or some of its GPUs, that a person has from `start` to `end`, without a limit where that is None."""

    server: str
    person: str
    start: datetime | None = None
    end: datetime | None = None
    gpus: tuple[int, ...] | None = None
    """The indices of the GPUs, in increasing order; None: the whole server."""

    def covers(self, moment: datetime) -> bool:
        """Whether it holds at `moment`; it does at its start, and no longer at its end."""
        return (self.start is None or self.start <= moment) and (self.end is None or moment < self.end)


def last_moment(end: datetime) -> str:
    """The date and time of an end; of an end at midnight the day before, which it is the end of."""
    is_midnight = (end.hour, end.minute) == (0, 0)
    return f"{end.date() - timedelta(days=1)}" if is_midnight else f"{end:%Y-%m-%d %H:%M}"


class Note(NamedTuple):
    """What is to be told about a row."""

    row: int
    """From 1, as spreadsheets number them."""
    reason: str


@dataclass
class Understood:
    """What a tab of reservations says."""

    reservations: list[Reservation] = field(default_factory=list)
    count: int = 0
    """How many rows of lists and cells of grids reserve something."""
    problems: list[Note] = field(default_factory=list)
    """The rows that are not understood. They reserve nothing."""
    doubts: list[Note] = field(default_factory=list)
    """The rows that may mean something else than what they are read as."""
    remarks: list[str] = field(default_factory=list)
    """How the whole tab is read where that is not obvious, in sentences."""
    contacts: list[Contact] = field(default_factory=list)
    """The people whose mail addresses the tab gives, also in rows that reserve nothing now."""
    spellings: dict[str, str] = field(default_factory=dict)
    """The servers that the column of names spells in another way, such as `gpu1 (10.0.0.1)`."""
    key_column: str | None = None
    """The header of the servers' names; None: the tab has no such column."""


def summary(found: Understood, most: int = 5) -> str:
    """How much is understood: `14 understood, rows 4, 7, 9 not: no date in 'next week'`.

    Of more than `most` reasons the others are counted with their rows.
    """
    told = [("not", *one) for one in _by_reason(found.problems)]
    told += [("doubtful", *one) for one in _by_reason(found.doubts)]
    shown = [f"{_rows(rows)} {how}: {reason}" for how, reason, rows in told[:most]]
    for how, words in (("not", "not, for other reasons"), ("doubtful", "doubtful, for other reasons")):
        if rows := sorted({row for kind, _, numbers in told[most:] if kind == how for row in numbers}):
            shown.append(f"{_rows(rows)} {words}")
    return ", ".join([f"{found.count} understood", *(["; ".join(shown)] if shown else [])])


def _by_reason(notes: Sequence[Note]) -> list[tuple[str, list[int]]]:
    rows: dict[str, list[int]] = {}
    for note in notes:
        numbers = rows.setdefault(note.reason, [])
        if note.row not in numbers:
            numbers.append(note.row)
    return list(rows.items())


def _rows(numbers: Sequence[int]) -> str:
    return f"row{'' if len(numbers) == 1 else 's'} {listed([str(number) for number in numbers], _SHOWN_ROWS)}"
