"""Reservations as the lab's own tab has them."""

from collections.abc import Collection, Iterator
from datetime import datetime

from backend.errors import NotFoundError
from backend.servers.logins import contact_of
from backend.servers.reservation import Note, Reservation, Understood
from backend.servers.reservations_columns import plain_header
from backend.servers.reservations_gpus import GpuColumn
from backend.servers.reservations_grid import read_grid
from backend.servers.reservations_names import Names, Part, is_cancelled, is_total, is_undecided, person_of
from backend.servers.reservations_table import Block, Finder, ListBlock
from backend.servers.reservations_times import Cell, Span, is_date, span_of
from backend.settings import ReservationSettings
from backend.sheets.content import TabContent, Value
from backend.sheets.dates import DateReader

_SETTINGS = {
    "server": "server",
    "person": "person",
    "start": "start",
    "end": "end",
    "date": "day",
    "gpus": "gpus",
    "email": "address",
}
"""The role of the column that each setting names."""
_MOST_SPELLINGS = 100
_LOOKED_AT = 20
_WHEN = ("start", "end", "day", "time", "length", "start time", "end time")


def reservations(
    content: TabContent, settings: ReservationSettings, servers: Collection[str], moment: datetime
) -> Understood:
    """What the tab reserves, in its zone and by its locale; a row that is not understood reserves nothing.

    Args:
        content: the tab.
        settings: its name, and the headers that the lab has named.
        servers: the names of the lab's servers, which the tab may write in other ways.
        moment: the present, which says what `Monday` means.

    Raises:
        NotFoundError: a column that the settings name is missing, or the servers' or the people's.
    """
    named = {role: header for name, role in _SETTINGS.items() if (header := getattr(settings, name))}
    names, today = Names(servers), moment.astimezone(content.zone).date()
    reader = DateReader(content.locale, content.zone, today)
    blocks = Finder(content, named, names, reader).blocks()
    _check(content, blocks, named, settings.tab)
    found = Understood()
    for block in blocks:
        if isinstance(block, ListBlock):
            _List(content, block, names, _reader_of(content, block, reader), found).read()
        else:
            read_grid(content, block, names, reader, found)
    found.key_column = _key_column(content, blocks[0])
    found.spellings = _spellings(content, blocks[0], names)
    found.remarks[:] = [*found.remarks, *_without_people(blocks, settings.tab)]
    found.problems.sort(key=lambda note: note.row)
    return found


def _check(content: TabContent, blocks: list[Block], named: dict[str, str], tab: str) -> None:
    settings = {role: name for name, role in _SETTINGS.items()}
    headers = {text.casefold() for row in range(len(content.rows)) for text in content.texts(row)[:200]}
    for role, header in named.items():
        if header.strip().casefold() not in headers:
            raise NotFoundError(
                f"The tab {tab!r} has no column {header!r}.",
                f"Correct reservations.{settings[role]} in settings.toml.",
            )
    if not blocks:
        raise NotFoundError(
            f"The tab {tab!r} has no column of the servers' names, such as 'Server', and is no week grid.",
            "Name its header in reservations.server in settings.toml.",
        )
    first = blocks[0]
    if (
        isinstance(first, ListBlock)
        and "person" not in first.columns
        and {"start", "end"} & set(first.columns)
    ):
        raise NotFoundError(
            f"The tab {tab!r} does not say who reserved a server.",
            "Name the header of that column in reservations.person in settings.toml.",
        )


def _reader_of(content: TabContent, block: ListBlock, reader: DateReader) -> DateReader:
    """With the dates of the list, which tell in which order it writes day and month."""
    places = [block.columns[role] for role in ("start", "end", "day") if role in block.columns]
    cells = [content.value(row, place) for row in range(block.first, block.end) for place in places]
    return DateReader(content.locale, reader.zone, reader.today, cells)


def _key_column(content: TabContent, block: Block) -> str | None:
    if isinstance(block, ListBlock):
        place = block.columns.get("server")
        return (
            None
            if place is None
            else content.text(block.header, place) or content.text(block.header - 1, place)
        )
    return None if block.servers is not None else content.text(block.header, block.key) or None


def _spellings(content: TabContent, block: Block, names: Names) -> dict[str, str]:
    """What the column of names calls one server that is called otherwise; a list of several is none of them."""
    place = block.columns.get("server") if isinstance(block, ListBlock) else block.key
    found: dict[str, str] = {}
    for row in range(block.first, len(content.rows)):
        text = " ".join(content.text(row, place).split())
        if not text or text in found or len(found) == _MOST_SPELLINGS:
            continue
        server = _one_server(content.value(row, place), text, names)
        if server and server.casefold() != text.casefold():
            found[text] = server
    return found


def _one_server(value: Value, text: str, names: Names) -> str | None:
    try:
        if isinstance(value, int | float) and names.known(text) is None:
            return names.numbered(float(value))
        servers = {part.server for part in names.parts(text)}
        server = servers.pop() if len(servers) == 1 else ""
        return server if names.known(server) == server else None
    except ValueError:
        return None


def _without_people(blocks: list[Block], tab: str) -> list[str]:
    if all(isinstance(block, ListBlock) and "person" not in block.columns for block in blocks):
        sentence = f"{tab!r} has no column of people, and so reserves nothing."
        return [f"{sentence} If it has one, name its header in reservations.person in settings.toml."]
    return []


class _List:
    """One list of a tab, row by row."""

    def __init__(
        self, content: TabContent, block: ListBlock, names: Names, reader: DateReader, found: Understood
    ) -> None:
        self._content, self._block, self._names, self._reader = content, block, names, reader
        self._found = found
        self._gpus = GpuColumn(content, block, block.columns.get("gpus"))
        self._other = [
            place for place in range(len(content.texts(block.header))) if place not in block.columns.values()
        ]
        self._has_dates = any(role in block.columns for role in _WHEN)
        self._server = block.server
        self._day = Cell()

    def read(self) -> None:
        if "person" not in self._block.columns:
            return
        for row in range(self._block.first, self._block.end):
            try:
                reserved = list(self._row(row))
            except ValueError as error:
                self._found.problems.append(Note(row + 1, str(error)))
            else:
                self._found.reservations += reserved
                self._found.count += bool(reserved)
        self._found.doubts += [*self._gpus.doubts, *self._unused_dates()]

    def _row(self, row: int) -> Iterator[Reservation]:
        """The reservations of a row.

        Raises:
            ValueError: it is not understood.
        """
        text, person_cell = self._text(row, "server"), self._text(row, "person")
        if not any(self._content.texts(row)):
            self._server, self._day = self._block.server, Cell()
            return
        if self._is_header(row) or (text and text == person_cell):  # a remark over the whole width
            return
        if is_total(text) and not self._is_server(text):
            return
        day = self._cell(row, "day")
        # In a merged area, exported as CSV, only the first row has the server or the day.
        is_part = bool(person_cell) and (bool(text) or not self._has_dates or self._has_when(row))
        server = text or (self._server if is_part else "")
        self._server = text or self._server
        self._day = self._day if day.is_empty else day
        if not person_cell and text and self._text(row, "start") and self._text(row, "end"):
            raise ValueError("no name")
        if not person_cell or (not server and not self._has_when(row)):
            return
        person = person_of(person_cell)
        if person is None:
            return
        if self._is_server(person_cell) and not self._is_server(server):
            raise ValueError(f"{person!r} is a server and no person")
        beside = [self._content.text(row, place) for place in self._other]
        if any(is_cancelled(other) for other in beside):
            return
        self._found.contacts += contact_of(person, self._text(row, "address") or person_cell)
        parts = self._parts(row, server)
        when = {role: self._cell(row, role) for role in _WHEN} | {"day": self._day if day.is_empty else day}
        header = self._content.text(self._block.header, self._block.columns.get("length"))
        span = span_of(when, self._reader, has_days="day" in self._block.columns, unit=header)
        undecided = [
            f"{other!r} beside it, and it counts"
            for place, other in zip(self._other, beside, strict=True)
            if is_undecided(other, self._content.text(self._block.header, place))
        ]
        self._found.doubts += [Note(row + 1, doubt) for doubt in (*span.doubts, *undecided)]
        yield from (_reservation(part, person, span) for part in parts)

    def _is_server(self, text: str) -> bool:
        try:
            return self._names.known(text) is not None
        except ValueError:
            return True

    def _unused_dates(self) -> Iterator[Note]:
        """Where the list seems to have no dates: a column that has, under a header that says nothing."""
        rows = range(self._block.first, self._block.end)
        for place in () if self._has_dates else self._other:
            filled = [text for row in rows if (text := self._content.text(row, place))][:_LOOKED_AT]
            dates = sum(is_date(Cell(text, text), self._reader) for text in filled if not text.isdigit())
            if 2 * dates > len(filled):
                header = self._content.text(self._block.header, place)
                yield Note(self._block.header + 1, f"the dates in column {header!r} are not used")

    def _parts(self, row: int, server: str) -> list[Part]:
        gpus_text = self._text(row, "gpus")
        if not server:
            if ":" in gpus_text:
                return self._names.parts(gpus_text)
            raise ValueError("no server's name")
        return self._gpus.of(row, self._parts_of(row, server), self._names)

    def _parts_of(self, row: int, server: str) -> list[Part]:
        # A spreadsheet makes the number 1000 of the name 1e3, and a date of 1-2.
        value = self._value(row, "server")
        if isinstance(value, int | float) and self._names.known(server) is None:
            known = self._names.numbered(float(value))
            if known is None:
                raise ValueError(f"no server is called {server!r}")
            return [Part(known, None)]
        return self._names.parts(server)

    def _is_header(self, row: int) -> bool:
        """Whether the headers are repeated here."""
        places = self._block.columns.values()
        mine = [plain_header(self._content.text(row, place)) for place in places]
        return mine == [plain_header(self._content.text(self._block.header, place)) for place in places]

    def _has_when(self, row: int) -> bool:
        return any(self._text(row, role) for role in _WHEN)

    def _cell(self, row: int, role: str) -> Cell:
        return Cell(self._value(row, role), self._text(row, role))

    def _text(self, row: int, role: str) -> str:
        return self._content.text(row, self._block.columns.get(role))

    def _value(self, row: int, role: str) -> Value:
        return self._content.value(row, self._block.columns.get(role))


def _reservation(part: Part, person: str, span: Span) -> Reservation:
    return Reservation(part.server, person, span.start, span.end, part.gpus)
