"""What people note about runs: a name, a note, a star, and that a run is put aside."""

from collections.abc import Callable
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.dialects.sqlite import insert

LONGEST_NAME = 100
LONGEST_NOTE = 2000

RUN_MARKS = sa.table(
    "run_marks",
    sa.column("run", sa.Text),
    sa.column("name", sa.Text),
    sa.column("note", sa.Text),
    sa.column("is_starred", sa.Boolean),
    sa.column("is_archived", sa.Boolean),
)


class Mark(BaseModel):
    """What people note about one run."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, Field(description="In place of the name in its recipe; empty: that name")] = ""
    note: str = ""
    is_starred: bool = False
    """Keeps a tab of its own, however old it is."""
    is_archived: bool = False
    """Stands in the tab Archive, and in no other list."""


class MarkChange(BaseModel):
    """What is to be changed; None stays as it is."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: Annotated[str | None, Field(max_length=LONGEST_NAME)] = None
    note: Annotated[str | None, Field(max_length=LONGEST_NOTE)] = None
    is_starred: bool | None = None
    is_archived: bool | None = None


class Marks:
    """Safe to use from several threads and processes."""

    def __init__(self, database: sa.Engine, on_changed: Callable[[set[str]], None]) -> None:
        """`on_changed` is called with the runs whose marks changed."""
        self._database = database
        self._reading = database.execution_options(reading=True)
        self._on_changed = on_changed

    def all(self) -> dict[str, Mark]:
        """The marks by run, of the runs that have some."""
        with self._reading.connect() as connection:
            return {row.run: _mark(row) for row in connection.execute(sa.select(RUN_MARKS))}

    def of(self, run: str) -> Mark:
        with self._reading.connect() as connection:
            row = connection.execute(sa.select(RUN_MARKS).where(RUN_MARKS.c.run == run)).one_or_none()
        return _mark(row) if row else Mark()

    def change(self, run: str, change: MarkChange) -> Mark:
        """Writes what `change` names; returns the marks as they are then."""
        with self._database.begin() as connection:
            row = connection.execute(sa.select(RUN_MARKS).where(RUN_MARKS.c.run == run)).one_or_none()
            mark = (_mark(row) if row else Mark()).model_copy(update=change.model_dump(exclude_none=True))
            values = {"run": run, **mark.model_dump()}
            connection.execute(insert(RUN_MARKS).values(values).on_conflict_do_update(["run"], set_=values))
        self._on_changed({run})
        return mark


def _mark(row: Any) -> Mark:
    return Mark(name=row.name, note=row.note, is_starred=row.is_starred, is_archived=row.is_archived)
