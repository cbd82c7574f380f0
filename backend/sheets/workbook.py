"""The sheet of a lab without Google: the same tabs, kept in the store's file and shown by the local page."""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError

from backend.errors import NotFoundError, UnavailableError
from backend.sheets.table import Cell, Number, Table, Text, tab_order
from backend.snapshot import now

_TABS = sa.table(
    "workbook_tabs",
    sa.column("name", sa.Text),
    sa.column("content", sa.Text),
    sa.column("updated_at", sa.Integer),
)


class Workbook:
    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._reading = database.execution_options(reading=True)

    def publish(self, tables: Sequence[Table], gone: Sequence[str] = ()) -> None:
        at = round(now().timestamp() * 1000)
        try:
            with self._database.begin() as connection:
                for table in tables:
                    row = {"name": table.name, "content": table.model_dump_json(), "updated_at": at}
                    connection.execute(insert(_TABS).values(row).on_conflict_do_update(["name"], set_=row))
                if gone:
                    connection.execute(sa.delete(_TABS).where(_TABS.c.name.in_(gone)))
        except DatabaseError as error:
            raise UnavailableError(f"The workbook cannot be written: {error.orig}.") from error

    def read(self, tab: str) -> list[list[str | int | float | bool | None]]:
        table, _ = self.table(tab)
        values: list[list[str | int | float | bool | None]] = []
        for section in table.sections:
            if section.title:
                values.append([section.title])
            values.append([column.title for column in section.columns])
            values += [[_plain(cell) for cell in row] for row in section.rows]
        return values

    def tabs(self) -> list[tuple[str, datetime]]:
        """Every tab's name and when it last changed, in the order in which they are shown."""
        with self._reading.connect() as connection:
            rows = connection.execute(sa.select(_TABS.c.name, _TABS.c.updated_at))
            tabs = [(row.name, _moment(row.updated_at)) for row in rows]
        newest_first = sorted(tabs, key=lambda tab: tab[1], reverse=True)
        return sorted(newest_first, key=lambda tab: tab_order(tab[0]))

    def table(self, tab: str) -> tuple[Table, datetime]:
        """What a tab shows and since when. Raises: NotFoundError: there is no such tab."""
        with self._reading.connect() as connection:
            row = connection.execute(sa.select(_TABS).where(_TABS.c.name == tab)).one_or_none()
        if row is None:
            raise NotFoundError(f"There is no tab {tab!r}.", "It may have been removed; look at the others.")
        return Table.model_validate_json(row.content), _moment(row.updated_at)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _plain(cell: Cell) -> str | int | float | bool | None:
    match cell:
        case Text():
            return f"{cell.text} {cell.note}".rstrip()
        case Number():
            return cell.value
        case None | bool() | int() | float() | str():
            return cell
        case _:
            return cell.label
