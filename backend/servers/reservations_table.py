"""Where in a lab's tab its reservations are: lists and week grids, each with its columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from backend.servers.reservations_columns import plain_header, roles_of
from backend.servers.reservations_days import day_of
from backend.servers.reservations_names import Names, Part
from backend.sheets.content import TabContent
from backend.sheets.date_words import weekdays_of
from backend.sheets.dates import DateReader
from backend.sheets.people import HEADER_ROWS

_WHEN = ("start", "end", "day", "time")


@dataclass(frozen=True)
class ListBlock:
    """Rows of reservations below their headers."""

    header: int
    first: int
    end: int
    columns: Mapping[str, int]
    """The column of each role."""
    server: str = ""
    """The server of all rows, where a title above names it."""


@dataclass(frozen=True)
class GridBlock:
    """People in the cells of a grid of servers and days."""

    header: int
    first: int
    end: int
    key: int
    """The column of the servers, or of the days."""
    days: Sequence[int] = ()
    """The columns of days; empty where servers stand in the columns."""
    servers: Mapping[int, Sequence[Part]] | None = None
    """The columns of servers."""
    time: int | None = None
    """The column of times of day."""
    gpus: int | None = None
    """The column of GPUs, beside that of the servers."""


Block = ListBlock | GridBlock


class Finder:
    """Finds the tables of a tab."""

    def __init__(
        self, content: TabContent, named: Mapping[str, str], names: Names, reader: DateReader
    ) -> None:
        """`named` are the headers that the settings name, by role."""
        self._content, self._named, self._names, self._reader = content, named, names, reader
        self._count = len(content.rows)

    def blocks(self) -> list[Block]:
        """Every table of the tab from top to bottom; empty: it has none."""
        first = self._first()
        if first is None:
            return []
        found, corner = [first], self._corner(first)
        is_grid = isinstance(first, GridBlock)
        for at in range(first.first, self._count):
            texts = self._content.texts(at)
            starts = any(texts) and (at == 0 or not any(self._content.texts(at - 1)))
            again = isinstance(first, GridBlock) and self._has_same_days(first, at)
            if (corner and corner in map(plain_header, texts)) or again or starts:
                another = self._grid(at) if is_grid else self._list(at)
                is_same = bool(corner) and corner in map(plain_header, texts)
                if another and at >= found[-1].first and (is_same or is_grid or _is_whole(another)):
                    found.append(another)
        ends = [*(block.header for block in found[1:]), self._count]
        ended = [replace(block, end=end) for block, end in zip(found, ends, strict=True)]
        return [copy for block in ended for copy in self._side_by_side(block)]

    def _side_by_side(self, block: Block) -> list[Block]:
        """The block, and every other with the same headers to the right of it."""
        if isinstance(block, GridBlock) or "server" not in block.columns:
            return [block]
        headers = [plain_header(text) for text in self._content.texts(block.header)]
        wanted = {role: headers[at] for role, at in block.columns.items() if at < len(headers)}
        shifts = range(1, len(headers) - block.columns["server"])
        copies = [{role: at + shift for role, at in block.columns.items()} for shift in shifts]
        return [
            block,
            *(
                replace(block, columns=copy)
                for copy in copies
                if len(wanted) > 1
                and all(at < len(headers) and headers[at] == wanted.get(role) for role, at in copy.items())
            ),
        ]

    def _first(self) -> Block | None:
        """The list with the most columns, unless a grid stands above it or there is no list with people."""
        rows = range(min(self._count, HEADER_ROWS))
        lists = [block for at in rows if (block := self._list(at))]
        # Of equals the first.
        best = max(lists, key=lambda block: ("person" in block.columns, len(block.columns)), default=None)
        if best and "person" in best.columns:
            rows = range(best.header + 1)
        grid = next((grid for at in rows if (grid := self._grid(at))), None)
        return grid or best

    def _corner(self, block: Block) -> str:
        """What tells that the headers come again further down."""
        if isinstance(block, ListBlock):
            place = block.columns.get("server", block.columns.get("person", 0))
            return plain_header(self._content.text(block.header, place))
        return plain_header(self._content.text(block.header, block.key))

    def _has_same_days(self, grid: GridBlock, at: int) -> bool:
        """Whether a row begins the days again, as that of the next week does."""
        first = self._content.text(grid.header, grid.days[0]) if grid.days else ""
        return bool(first) and self._content.text(at, grid.days[0]) == first

    def _list(self, at: int) -> ListBlock | None:
        texts = self._content.texts(at)
        columns = roles_of(texts, self._named)
        header = at
        if at + 1 < self._count:
            below = self._content.texts(at + 1)
            both = self._two_rows(texts, below)
            server = both.get("server")
            own = self._content.text(at + 1, server)
            is_header = own in ("", self._content.text(at, server)) or server == roles_of(
                below, self._named
            ).get("server")
            if is_header and len(both) > max(len(columns), len(roles_of(below, self._named))):
                columns, header = both, at + 1
        if "server" not in columns:
            title = self._server_above(at)
            if title and "person" in columns and any(role in columns for role in _WHEN):
                return ListBlock(header, header + 1, self._count, columns, title)
            if "gpus" not in columns or "person" not in columns:
                return None
            columns = {**columns, "server": columns["gpus"]}
            del columns["gpus"]
        return ListBlock(header, header + 1, self._count, columns)

    def _two_rows(self, above: list[str], below: list[str]) -> dict[str, int]:
        """Roles of two header rows: `From` below `Reservation`, beside `Server` over an empty cell."""
        width = max(len(above), len(below))
        above, below = ([*texts, *[""] * (width - len(texts))] for texts in (above, below))
        columns = roles_of(below, self._named)
        for texts in (above, [f"{one} {other}".strip() for one, other in zip(above, below, strict=True)]):
            for role, place in roles_of(texts, self._named).items():
                if role not in columns and place not in columns.values():
                    columns[role] = place
        return columns

    def _server_above(self, at: int) -> str:
        for row in range(at - 1, max(at - 3, -1), -1):
            texts = {text for text in self._content.texts(row) if text}
            if len(texts) == 1:
                try:
                    return self._names.known(texts.pop().rstrip(":")) or ""
                except ValueError:
                    return ""
        return ""

    def _grid(self, at: int) -> GridBlock | None:
        return self._days_across(at) or self._servers_across(at)

    def _days_across(self, at: int) -> GridBlock | None:
        """`Server, Mon, Tue ...`, perhaps with the dates in a row of their own."""
        days = self._day_columns(at)
        if len(days) < 2:
            return None
        header = at
        below = self._day_columns(at + 1) if at + 1 < self._count else []
        if len(set(below) & set(days)) >= 2:
            header = at + 1
        left = [
            self._content.text(header, place) or self._content.text(at, place) for place in range(days[0])
        ]
        roles = roles_of(left, {role: self._named[role] for role in ("server",) if self._named.get(role)})
        if not left or "person" in roles_of(left, {}) or {"start", "end"} & set(roles):
            return None
        key = roles.get("server", 0)
        if "server" not in roles and not any(
            self._is_server(row, key) for row in range(header + 1, min(header + 20, self._count))
        ):
            return None
        return GridBlock(
            header, header + 1, self._count, key, days=days, time=roles.get("time"), gpus=roles.get("gpus")
        )

    def _day_columns(self, at: int) -> list[int]:
        texts = self._content.texts(at)
        weekdays = weekdays_of(texts, self._reader.language)
        return [
            place
            for place, text in enumerate(texts)
            if text
            and (
                weekdays[place] is not None
                or day_of(self._content.value(at, place), text, self._reader) is not None
            )
        ]

    def _servers_across(self, at: int) -> GridBlock | None:
        """`Date, gpu1, gpu2 ...`, perhaps with the GPUs of each server in a row of their own."""
        texts = self._content.texts(at)
        roles = roles_of(texts[:2], {})
        key = roles.get("day", 0)
        if {"person", "server"} & set(roles) and "day" not in roles:
            return None
        servers = self._server_columns(texts, key, at)
        header = at
        if servers and at + 1 < self._count and not self._is_day(at + 1, key):
            below = self._content.texts(at + 1)
            filled = _filled_to_the_right(texts, len(below), key)
            joined = [
                f"{one} {other}" if one and other else "" for one, other in zip(filled, below, strict=False)
            ]
            if len(finer := self._server_columns(joined, key, at)) >= 2:
                servers, header = finer, at + 1
        is_axis = any(self._is_day(row, key) for row in range(header + 1, min(header + 8, self._count)))
        if not servers or not is_axis:
            return None
        time = roles.get("time")
        return GridBlock(header, header + 1, self._count, key, servers=servers, time=time)

    def _server_columns(self, texts: Sequence[str], key: int, at: int) -> dict[int, Sequence[Part]]:
        found: dict[int, Sequence[Part]] = {}
        roles = set(roles_of(texts, {}).values())
        is_known = False
        for place, text in enumerate(texts):
            if place == key or not text:
                continue
            try:
                parts = self._names.parts(text)
            except ValueError:
                continue
            known = any(self._names.known(part.server) for part in parts)
            if known or (place not in roles and any(c.isdigit() for c in text)):
                found[place] = parts
            is_known = is_known or known
        is_day = "day" in roles_of([self._content.text(at, key)], {})
        return found if is_known or (is_day and len(found) > 1) else {}

    def _is_server(self, row: int, column: int) -> bool:
        try:
            parts = self._names.parts(self._content.text(row, column))
        except ValueError:
            return False
        return any(self._names.known(part.server) for part in parts)

    def _is_day(self, row: int, column: int) -> bool:
        text = self._content.text(row, column)
        if weekdays_of([text], self._reader.language) != [None]:
            return True
        return day_of(self._content.value(row, column), text, self._reader) is not None


def _filled_to_the_right(texts: Sequence[str], width: int, key: int) -> Iterator[str]:
    last = ""
    for place in range(width):
        text = texts[place] if place < len(texts) else ""
        last = text or (last if place > key + 1 else "")
        yield "" if place == key else last


def _is_whole(block: Block) -> bool:
    """Whether a list says of itself who has which server and when; under other headers it needs all of these."""
    return isinstance(block, ListBlock) and {"server", "person"} < set(block.columns) and not block.server
