"""The lab's own Google spreadsheet."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gspread.utils import absolute_range_name

from backend.errors import NotFoundError, UnavailableError
from backend.sheets import NO_SPELLINGS, MismatchError
from backend.sheets.content import TabContent
from backend.sheets.google import lease
from backend.sheets.google.annotations import AnnotatedTab
from backend.sheets.google.api import GoogleApi, ProtectedError
from backend.sheets.google.book import METADATA, Book, harmless
from backend.sheets.google.cells import Values
from backend.sheets.google.changes import Grid, is_shown
from backend.sheets.google.formulas import LookupTab
from backend.sheets.google.marks import KEY
from backend.sheets.google.our_tab import RELEASE, OurTab
from backend.sheets.google.peoples_tab import TAB_FIELDS, WARNING
from backend.sheets.google.theirs import CONTENT_FIELDS, content_of
from backend.sheets.table import Table

_ROUNDS = 8
"""How often a batch is planned again while people change the spreadsheet."""
_WHOLE_SECONDS = 600.0
"""How often every cell of a tab is written, those that did not change too: people may have typed over them."""
_REFUSED_SECONDS = 600.0
"""How long columns that Google does not take rest before they are tried again."""


@dataclass(frozen=True)
class _Drawn:
    """What a tab shows since it was written last."""

    grid: Grid
    size: tuple[int, int]
    whole_at: float
    """When every cell was written."""


class GoogleSheet:
    """Sheetrack's tabs in a spreadsheet that people share with its service account.

    The names of the tabs are read before every write, because people keep a tab by renaming it. A tab that this
    object wrote before gets only the cells that changed, once its first row and column are as they were.
    """

    def __init__(
        self,
        api: GoogleApi,
        lookup: str,
        backend: str = "this backend",
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`lookup` names the tab whose columns `annotate` shows; its first column names the rows.

        `backend` says in words which backend this is; `clock` counts the seconds since 1970.
        """
        self._api = api
        self._lookup = lookup
        self._backend = backend
        self._clock = clock
        self._drawn: dict[int, _Drawn] = {}
        self._refused: dict[str, tuple[float, UnavailableError]] = {}
        """Tabs whose columns Google did not take: until when they rest, and why."""

    @property
    def account(self) -> str:
        """Whom the spreadsheet has to be shared with."""
        return self._api.account

    def close(self) -> None:
        self._api.close()

    def publish(self, tables: Sequence[Table], gone: Sequence[str] = ()) -> None:
        """Writes all tables with one call.

        Raises:
            OtherBackendError: another backend writes this spreadsheet.
        """
        if not tables and not gone:
            return
        for last in (False, True):
            book = self._book()
            ours = [book.ours[table.name] for table in tables if table.name in book.ours]
            plan = book.plan(tables, gone, self._lookup, self._still_shown(ours))
            drawn, self._drawn = self._drawn, {}  # until it is known that the batch was carried out
            try:
                if batch := [*self._held(book), *plan.batch]:
                    self._api.batch_update(batch)
            except MismatchError as error:
                if last or isinstance(error, ProtectedError):
                    raise
            else:
                self._note(drawn, plan.grids)
                return

    def _note(self, before: Mapping[int, _Drawn], grids: Mapping[int, tuple[Grid, tuple[int, int]]]) -> None:
        new = {}
        for number, (grid, size) in grids.items():
            at = before[number].whole_at if number in before else self._clock()
            new[number] = _Drawn(grid, size, at)
        self._drawn = {**before, **new}

    def _still_shown(self, tabs: Sequence[OurTab]) -> dict[int, Grid]:
        """The cells of those of `tabs` that nothing but this object changed, as far as can be seen."""
        for tab in tabs:
            drawn = self._drawn.get(tab.sheet_id)
            if drawn and (drawn.size != tab.size or self._clock() - drawn.whole_at >= _WHOLE_SECONDS):
                del self._drawn[tab.sheet_id]
        known = {tab.title: tab.sheet_id for tab in tabs if tab.sheet_id in self._drawn}
        if not known:
            return {}
        ranges = [absolute_range_name(title, part) for title in known for part in ("A:A", "1:1")]
        fields = "sheets(properties(sheetId,title),data(rowData(values(formattedValue))))"
        try:
            sheets = self._api.spreadsheet(fields, ranges)["sheets"]
        except MismatchError:
            return {}
        shown = {}
        for sheet in sheets:
            number = sheet["properties"].get("sheetId", 0)
            column, row = [[_texts(line) for line in part.get("rowData", [])] for part in sheet["data"]]
            grid = self._drawn[number].grid
            if is_shown(grid, [line[0] if line else "" for line in column], row[0] if row else []):
                shown[number] = grid
            else:
                del self._drawn[number]
        return shown

    def _held(self, book: Book) -> list[Values]:
        """Requests that keep other backends from writing; none while that is known."""
        lease.check(book.lease, self._backend, self._api.id, self._clock())
        return lease.renewal(book.lease, self._backend, self._api.id, self._clock())

    def shown(self) -> set[str]:
        return {name for name, tab in self._book().ours.items() if tab.release == RELEASE}

    def read(self, tab: str) -> TabContent:
        try:
            return content_of(self._api.spreadsheet(CONTENT_FIELDS, [absolute_range_name(tab)]))
        except MismatchError:
            raise self._no_tab(tab) from None

    def annotate(
        self, tab: str, key_column: str, columns: Sequence[str], spellings: Mapping[str, str] = NO_SPELLINGS
    ) -> None:
        """Shows `columns` of the lookup tab to the right of people's own, by the names in `key_column`.

        `key_column` may be empty, and is then guessed. Once the columns are there, this writes nothing.

        Raises:
            NotFoundError: there is no such tab, header or column.
            UnavailableError: the sheet could not be written.
        """

        def step() -> list[Values]:
            theirs, lookup = self._open(tab, spellings)
            return theirs.wanted(key_column, columns, lookup)

        until, error = self._refused.get(tab, (0.0, None))
        if error and self._clock() < until:
            raise error
        self._refused.pop(tab, None)
        try:
            self._settle(step)
        except MismatchError as refusal:
            self._refused[tab] = self._clock() + _REFUSED_SECONDS, refusal
            raise

    def disconnect(self) -> list[str]:
        """Removes all that Sheetrack added: its tabs, its columns, its marks. Renamed tabs stay.

        Returns:
            Sentences: which columns stay, because people typed into them.

        Raises:
            UnavailableError: the sheet could not be written; what is left is removed the next time.
        """
        left: dict[str, None] = {}

        def step() -> list[Values]:
            tabs, book = self._annotated(unmarked=True), self._book()
            lease.check(book.lease, self._backend, self._api.id, self._clock())
            left.update(dict.fromkeys(sentence for tab in tabs for sentence in tab.left()))
            columns = [request for tab in tabs for request in tab.removal()]
            return columns + book.removal()

        self._settle(step)
        return list(left)

    def errors(self) -> list[str]:
        return [error for tab in self._annotated() for error in tab.errors()]

    def remarks(self) -> list[str]:
        """A sentence for each tab of Sheetrack's that had to take another name."""
        return self._book().remarks()

    def peoples_tabs(self) -> list[str]:
        """The titles of the tabs that are not Sheetrack's, in their order; those of charts left out."""
        ours = {tab.title for tab in self._book().ours.values()}
        sheets = self._api.spreadsheet("sheets(properties(title,sheetType))")["sheets"]
        grids = [s["properties"] for s in sheets if s["properties"].get("sheetType", "GRID") == "GRID"]
        return [entry["title"] for entry in grids if entry["title"] not in ours]

    def try_out(self) -> str:
        """Reads the spreadsheet and writes what changes nothing; returns its title.

        Raises:
            UnavailableError: it cannot be read or written, or another backend writes it.
        """
        title: str = self._api.spreadsheet("properties(title)")["properties"]["title"]
        book = self._book()
        lease.check(book.lease, self._backend, self._api.id, self._clock())
        self._api.batch_update(harmless())
        return title

    def _settle(self, step: Callable[[], Sequence[Values]]) -> None:
        """Sends the batch that `step` plans from the spreadsheet as it is, until `step` returns none."""
        failure = UnavailableError("The spreadsheet is being rearranged.", "Try again in a moment.")
        for _ in range(_ROUNDS):
            batch = step()
            if not batch:
                return
            try:
                self._api.batch_update(batch)
            except ProtectedError:
                raise
            except MismatchError as error:
                failure = error
        raise failure

    def _book(self) -> Book:
        return Book.of(self._api.spreadsheet(METADATA))

    def _open(self, tab: str, spellings: Mapping[str, str]) -> tuple[AnnotatedTab, LookupTab]:
        """People's tab, and the first rows of the lookup tab."""
        book = self._book()
        lease.check(book.lease, self._backend, self._api.id, self._clock())
        ours = book.ours.get(self._lookup)
        if ours is None:
            raise NotFoundError(
                f"The spreadsheet has no {self._lookup} tab yet.",
                "It comes with the first refresh of `sheetrack up`.",
            )
        ranges = [absolute_range_name(tab), absolute_range_name(ours.title, "1:50")]
        try:
            answer = self._api.spreadsheet(TAB_FIELDS, ranges)
        except MismatchError:
            raise self._no_tab(tab) from None
        sheets = {sheet["properties"].get("sheetId", 0): sheet for sheet in answer["sheets"]}
        lookup = LookupTab(self._lookup, sheets.pop(ours.sheet_id), spellings)
        if not sheets:
            raise NotFoundError(f"{tab!r} is Sheetrack's own tab.", "Name one of yours in reservations.tab.")
        return AnnotatedTab(sheets.popitem()[1]), lookup

    def _annotated(self, *, unmarked: bool = False) -> list[AnnotatedTab]:
        """Every tab of people's own with a mark of Sheetrack in it; `unmarked`: or with its warning on a column."""
        places = (mark["location"]["dimensionRange"] for mark in self._api.marks(KEY))
        ids = {place.get("sheetId", 0) for place in places}
        if not ids and not unmarked:
            return []
        found = self._api.spreadsheet("sheets(properties(sheetId,title),protectedRanges(description))")[
            "sheets"
        ]
        names = [
            sheet["properties"]["title"]
            for sheet in found
            if sheet["properties"].get("sheetId", 0) in ids
            or (
                unmarked
                and any(one.get("description") == WARNING for one in sheet.get("protectedRanges", []))
            )
        ]
        ranges = [absolute_range_name(name) for name in names]
        sheets = self._api.spreadsheet(TAB_FIELDS, ranges)["sheets"] if names else []
        return [AnnotatedTab(sheet) for sheet in sheets]

    def _no_tab(self, tab: str) -> NotFoundError:
        return NotFoundError(f"The spreadsheet has no tab {tab!r}.", "Tab names are in its bottom line.")


def _texts(line: Mapping[str, object]) -> list[str]:
    values = line.get("values")
    return [str(cell.get("formattedValue", "")) for cell in values] if isinstance(values, list) else []
