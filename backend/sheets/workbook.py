"""The sheet of a lab without Google: the same tabs, kept in the store's file and shown by the local page.

People's own tabs are CSV files in the folder `tabs` of the home. Sheetrack only reads them, and shows its
columns beside them.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfoNotFoundError

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError
from tzlocal import get_localzone

from backend.errors import NotFoundError, SheetrackError, UnavailableError
from backend.sheets import NO_SPELLINGS, people
from backend.sheets.content import TabContent, Value
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
        self._written: dict[str, int] = {}
        """The hash of the JSON of each tab that this process wrote: it can be read."""
        self._beside: dict[str, tuple[str, tuple[str, ...], Mapping[str, str]]] = {}
        self._database = database
        self._reading = database.execution_options(reading=True)

    def publish(self, tables: Sequence[Table], gone: Sequence[str] = ()) -> None:
        at = round(now().timestamp() * 1000)
        try:
            with self._database.begin() as connection:
                if gone:
                    connection.execute(sa.delete(_TABS).where(_TABS.c.name.in_(gone)))
                for table in tables:
                    row = {
                        "name": table.name,
                        "content": table.model_dump_json(),
                        "updated_at": at,
                        "rank": table.rank,
                    }
                    self._written[table.name] = hash(row["content"])
                    changed = _TABS.c.content != row["content"]
                    connection.execute(
                        insert(_TABS).values(row).on_conflict_do_update(["name"], set_=row, where=changed)
                    )
        except DatabaseError as error:
            raise UnavailableError(f"The workbook cannot be written: {error.orig}.") from error

    def shown(self) -> set[str]:
        with self._reading.connect() as connection:
            return set(connection.scalars(sa.select(_TABS.c.name)))

    def contents(self, tabs: Iterable[str]) -> dict[str, str]:
        query = sa.select(_TABS.c.name, _TABS.c.content).where(_TABS.c.name.in_(list(tabs)))
        with self._reading.connect() as connection:
            return {row.name: row.content for row in connection.execute(query)}

    def read(self, tab: str) -> TabContent:
        zone = _local_zone()
        if tab.endswith(".csv"):
            return TabContent([list(row) for row in people.read_csv(self._file(tab))], zone=zone)
        table, _ = self.table(tab)
        values: list[list[Value]] = []
        for section in table.sections:
            if section.title:
                values.append([section.title])
            values.append([column.title for column in section.columns])
            values += [[_plain(cell) for cell in row] for row in section.rows]
        return TabContent(values, zone=zone)

    def annotate(
        self, tab: str, key_column: str, columns: Sequence[str], spellings: Mapping[str, str] = NO_SPELLINGS
    ) -> None:
        people.find_header(people.read_csv(self._file(tab)), key_column, tab)
        known = self._lookup_columns()
        if not known:
            raise NotFoundError(
                f"The workbook has no {self._lookup} tab yet.",
                "It comes with the first refresh of `sheetrack up`.",
            )
        for title in columns:
            if title not in known:
                raise NotFoundError(
                    f"The {self._lookup} tab has no column {title!r}.", f"It has {', '.join(known)}."
                )
        self._beside[tab] = (key_column, tuple(columns), spellings)

    def errors(self) -> list[str]:
        errors = []
        for tab, (key_column, *_) in self._beside.items():
            try:
                people.find_header(people.read_csv(self._file(tab)), key_column, tab)
            except SheetrackError as error:
                errors.append(str(error))
        return errors

    def tabs(self) -> list[tuple[str, datetime]]:
        """Every tab's name and when it last changed, in the order in which they are shown."""
        query = sa.select(_TABS.c.name, _TABS.c.updated_at).order_by(_TABS.c.rank, _TABS.c.name)
        with self._reading.connect() as connection:
            ours = [(row.name, _moment(row.updated_at)) for row in connection.execute(query)]
        files = sorted(self._peoples_tabs.glob("*.csv"))
        return ours + [(_readable(file.name), _changed(file)) for file in files]

    def table(self, tab: str) -> tuple[Table, datetime]:
        """A tab's table and when it last changed; a table that cannot be read says so.

        Raises:
            NotFoundError: there is no such tab.
            UnavailableError: the file of a tab of people's own cannot be read.
        """
        if tab.endswith(".csv"):
            return self._theirs(tab)
        with self._reading.connect() as connection:
            row = connection.execute(sa.select(_TABS).where(_TABS.c.name == tab)).one_or_none()
        if row is None:
            raise NotFoundError(f"There is no tab {tab!r}.", "It may have been removed; look at the others.")
        try:
            table = Table.model_validate_json(row.content)
        except ValidationError:
            table = _message(
                tab,
                row.rank,
                "This tab cannot be read: another release of Sheetrack stored it. It is shown again as soon as it "
                "is published again; a comparison, once `sheetrack compare` is run again.",
            )
        return table, _moment(row.updated_at)

    def table_json(self, tab: str) -> tuple[str, datetime]:
        """A tab of Sheetrack's as JSON, and when it last changed; what this process wrote is not read again.

        Raises:
            NotFoundError: there is no such tab.
        """
        with self._reading.connect() as connection:
            row = connection.execute(sa.select(_TABS).where(_TABS.c.name == tab)).one_or_none()
        if row is not None and self._written.get(tab) == hash(row.content):
            return row.content, _moment(row.updated_at)
        table, at = self.table(tab)
        return table.model_dump_json(), at

    def tables(self) -> list[Table]:
        """Every tab's table, in the order in which they are shown; one that cannot be read says why."""
        tables = []
        for tab, _ in self.tabs():
            try:
                tables.append(self.table(tab)[0])
            except SheetrackError as error:
                tables.append(_message(tab, _LAST, str(error)))
        return tables

    def _file(self, tab: str) -> Path:
        """A CSV file in the folder, and nowhere else."""
        return self._peoples_tabs / Path(tab).name

    def _theirs(self, tab: str) -> tuple[Table, datetime]:
        file = self._file(tab)
        rows = people.read_csv(file)
        key_column, titles, spellings = self._beside.get(tab, ("", (), NO_SPELLINGS))
        header, key, note = 0, 0, ""
        try:
            if titles:
                header, key = people.find_header(rows, key_column, tab)
        except NotFoundError as error:
            titles, note = (), str(error)
        width = max((len(row) for row in rows), default=0)
        padded = [row + [""] * (width - len(row)) for row in rows]
        ours, cells = self._columns(titles)
        shown = tuple(
            (*row, *cells.get(_named(row[key], spellings).casefold(), (None,) * len(ours)))
            for row in padded[header + 1 :]
        )
        named = [Column(title=title, width=16) for title in padded[header]] if padded else []
        above = " ".join(text for row in rows[:header] for text in row if text)
        section = Section(note=above or note, columns=(*named, *ours), rows=shown, empty="The file is empty.")
        return Table(name=tab, rank=_LAST, sections=(section,)), _changed(file)

    def _columns(self, titles: Sequence[str]) -> tuple[list[Column], dict[str, tuple[Cell, ...]]]:
        """Columns of the lookup tab, and their cells by the name of the row in lower case."""
        if not titles:
            return [], {}
        known = self._lookup_columns()
        if not known:
            return [Column(title=title) for title in titles], {}
        section = self.table(self._lookup)[0].sections[0]
        places = [known[title] for title in titles if title in known]
        cells = {str(row[0]).casefold(): tuple(row[at] for at in places) for row in section.rows}
        return [section.columns[at] for at in places], cells

    def _lookup_columns(self) -> dict[str, int]:
        """The lookup tab's columns and their places; none where there is no such tab yet."""
        try:
            section = self.table(self._lookup)[0].sections[0]
        except NotFoundError:
            return {}
        return {column.title: place for place, column in enumerate(section.columns)}


def _named(text: str, spellings: Mapping[str, str]) -> str:
    text = " ".join(text.split())
    return spellings.get(text, text)


def _local_zone() -> tzinfo:
    """This machine's zone with its summer time; at its present offset where the zone is not known."""
    try:
        return get_localzone()
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.now().astimezone().tzinfo or UTC


def _message(tab: str, rank: int, words: str) -> Table:
    return Table(name=tab, rank=rank, sections=(Section(note=words, columns=()),))


def _readable(name: str) -> str:
    """A file's name with a question mark for each byte that is no UTF-8."""
    return name.encode(errors="replace").decode()


def _changed(file: Path) -> datetime:
    """When a file last changed; 1970 where it is a link that leads nowhere, or was just removed."""
    try:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError:
        return datetime.fromtimestamp(0, UTC)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _plain(cell: Cell) -> Value:
    match cell:
        case Text():
            return f"{cell.text} {cell.note}".rstrip()
        case Number():
            return cell.value
        case None | bool() | int() | float() | str():
            return cell
        case _:
            return cell.label
