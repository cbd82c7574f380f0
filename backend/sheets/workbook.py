"""The sheet of a lab without Google: the same tabs, kept in the store's file and shown by the local page.

People's own tabs are CSV files in the home's folder `tabs`, which a spreadsheet saves and anybody edits;
Sheetrack only ever reads them, and shows its columns beside them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError

from backend.errors import NotFoundError, UnavailableError
from backend.sheets import people
from backend.sheets.table import Cell, Column, Number, Section, Table, Text
from backend.times import now

_TABS = sa.table(
    "workbook_tabs",
    sa.column("name", sa.Text),
    sa.column("content", sa.Text),
    sa.column("updated_at", sa.Integer),
    sa.column("rank", sa.Integer),
)
_LAST = 2**53
"""The rank of people's own tabs."""


class Workbook:
    def __init__(self, database: sa.Engine, peoples_tabs: Path, lookup: str) -> None:
        """`lookup` names the tab whose columns `annotate` shows; its first column names the rows."""
        self._peoples_tabs = peoples_tabs
        self._lookup = lookup
        self._beside: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._database = database
        self._reading = database.execution_options(reading=True)

    def publish(self, tables: Sequence[Table], gone: Sequence[str] = ()) -> None:
        at = round(now().timestamp() * 1000)
        try:
            with self._database.begin() as connection:
                for table in tables:
                    row = {
                        "name": table.name,
                        "content": table.model_dump_json(),
                        "updated_at": at,
                        "rank": table.rank,
                    }
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

    def annotate(self, tab: str, key_column: str, columns: Sequence[str]) -> None:
        people.find_header(people.read_csv(self._file(tab)), key_column, tab)
        self._beside[tab] = (key_column, tuple(columns))

    def errors(self) -> list[str]:
        return []

    @property
    def zone(self) -> tzinfo:
        return datetime.now().astimezone().tzinfo or UTC

    def tabs(self) -> list[tuple[str, datetime]]:
        """Every tab's name and when it last changed, in the order in which they are shown."""
        query = sa.select(_TABS.c.name, _TABS.c.updated_at).order_by(_TABS.c.rank, _TABS.c.name)
        with self._reading.connect() as connection:
            ours = [(row.name, _moment(row.updated_at)) for row in connection.execute(query)]
        theirs = [
            (file.name, datetime.fromtimestamp(file.stat().st_mtime, UTC))
            for file in sorted(self._peoples_tabs.glob("*.csv"))
        ]
        return ours + theirs

    def table(self, tab: str) -> tuple[Table, datetime]:
        """What a tab shows and since when. Raises: NotFoundError: there is no such tab."""
        if tab.endswith(".csv"):
            return self._theirs(tab)
        with self._reading.connect() as connection:
            row = connection.execute(sa.select(_TABS).where(_TABS.c.name == tab)).one_or_none()
        if row is None:
            raise NotFoundError(f"There is no tab {tab!r}.", "It may have been removed; look at the others.")
        return Table.model_validate_json(row.content), _moment(row.updated_at)

    def _file(self, tab: str) -> Path:
        """A CSV file below the folder, and nowhere else."""
        return self._peoples_tabs / Path(tab).name

    def _theirs(self, tab: str) -> tuple[Table, datetime]:
        file = self._file(tab)
        rows = people.read_csv(file)
        key_column, titles = self._beside.get(tab, ("", ()))
        header, key = people.find_header(rows, key_column, tab) if titles else (0, 0)
        width = max((len(row) for row in rows), default=0)
        padded = [row + [""] * (width - len(row)) for row in rows]
        ours, cells = self._beside_of(titles)
        shown = tuple(
            (*row, *cells.get(row[key].strip().casefold(), (None,) * len(ours)))
            for row in padded[header + 1 :]
        )
        named = [Column(title=title, width=16) for title in padded[header]] if padded else []
        above = " ".join(text for row in rows[:header] for text in row if text)
        section = Section(note=above, columns=(*named, *ours), rows=shown, empty="The file is empty.")
        changed = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        return Table(name=tab, rank=_LAST, sections=(section,)), changed

    def _beside_of(self, titles: Sequence[str]) -> tuple[list[Column], dict[str, tuple[Cell, ...]]]:
        """Columns of the lookup tab, and their cells by the name of the row in lower case."""
        if not titles:
            return [], {}
        try:
            section = self.table(self._lookup)[0].sections[0]
        except NotFoundError:
            return [Column(title=title) for title in titles], {}
        known = {column.title: at for at, column in enumerate(section.columns)}
        places = [known[title] for title in titles if title in known]
        cells = {str(row[0]).casefold(): tuple(row[at] for at in places) for row in section.rows}
        return [section.columns[at] for at in places], cells


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
