"""The lab's own Google spreadsheet."""

from collections.abc import Callable, Sequence
from datetime import tzinfo

from gspread.utils import absolute_range_name

from backend.errors import NotFoundError, UnavailableError
from backend.sheets import MismatchError
from backend.sheets.google import book as tabs
from backend.sheets.google.annotations import KEY, TAB_FIELDS, PeoplesTab
from backend.sheets.google.api import GoogleApi
from backend.sheets.google.book import Book
from backend.sheets.google.cells import Values
from backend.sheets.google.formulas import LookupTab
from backend.sheets.table import Table

_ROUNDS = 8
"""How often a batch is planned again while people change the spreadsheet."""


class GoogleSheet:
    """Sheetrack's tabs in a spreadsheet that people share with its service account.

    The names of the tabs are read before every write, because people keep a tab by renaming it.
    """

    def __init__(self, api: GoogleApi, lookup: str) -> None:
        """`lookup` names the tab whose columns `annotate` shows; its first column names the rows."""
        self._api = api
        self._lookup = lookup
        self._zone: tzinfo | None = None

    @property
    def zone(self) -> tzinfo:
        """The spreadsheet's."""
        return self._zone or self._book().zone

    @property
    def account(self) -> str:
        """Whom the spreadsheet has to be shared with."""
        return self._api.account

    def close(self) -> None:
        self._api.close()

    def publish(self, tables: Sequence[Table], gone: Sequence[str] = ()) -> None:
        """Writes all tables with one call."""
        if not tables and not gone:
            return
        for last in (False, True):
            book = self._book()
            try:
                if batch := book.requests(tables, gone, self._lookup):
                    self._api.batch_update(batch)
            except MismatchError:
                if last:
                    raise
            else:
                return

    def shown(self) -> set[str]:
        return {name for name, tab in self._book().ours.items() if tab.release == tabs.RELEASE}

    def read(self, tab: str) -> list[list[str | int | float | bool | None]]:
        try:
            return self._api.values(tab)
        except MismatchError:
            raise self._no_tab(tab) from None

    def annotate(self, tab: str, key_column: str, columns: Sequence[str]) -> None:
        """Shows `columns` of the lookup tab to the right of people's own, by the names in `key_column`.

        `key_column` may be empty, and is then guessed. Once the columns are there, this writes nothing.

        Raises:
            NotFoundError: there is no such tab, header or column.
            UnavailableError: the sheet could not be written.
        """

        def step() -> list[Values]:
            theirs, lookup = self._open(tab)
            return theirs.wanted(key_column, columns, lookup)

        self._settle(step)

    def disconnect(self) -> None:
        """Removes all that Sheetrack added: its tabs, its columns, its marks. Renamed tabs stay.

        Raises:
            UnavailableError: the sheet could not be written; what is left is removed the next time.
        """

        def step() -> list[Values]:
            columns = [request for tab in self._annotated() for request in tab.removal()]
            return columns + self._book().removal()

        self._settle(step)

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
            UnavailableError: it cannot be read or written.
        """
        title: str = self._api.spreadsheet("properties(title)")["properties"]["title"]
        self._api.batch_update(tabs.harmless())
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
            except MismatchError as error:
                failure = error
        raise failure

    def _book(self) -> Book:
        book = Book.of(self._api.spreadsheet(tabs.METADATA))
        self._zone = book.zone
        return book

    def _open(self, tab: str) -> tuple[PeoplesTab, LookupTab]:
        """People's tab, and the first rows of the lookup tab."""
        ours = self._book().ours.get(self._lookup)
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
        lookup = LookupTab(self._lookup, sheets.pop(ours.sheet_id))
        if not sheets:
            raise NotFoundError(f"{tab!r} is Sheetrack's own tab.", "Name one of yours in reservations.tab.")
        return PeoplesTab(sheets.popitem()[1]), lookup

    def _annotated(self) -> list[PeoplesTab]:
        """Every tab of people's own with a mark of Sheetrack in it."""
        places = (mark["location"]["dimensionRange"] for mark in self._api.marks(KEY))
        ids = {place.get("sheetId", 0) for place in places}
        if not ids:
            return []
        titles = self._api.spreadsheet("sheets(properties(sheetId,title))")["sheets"]
        names = [s["properties"]["title"] for s in titles if s["properties"].get("sheetId", 0) in ids]
        ranges = [absolute_range_name(name) for name in names]
        sheets = self._api.spreadsheet(TAB_FIELDS, ranges)["sheets"] if names else []
        return [PeoplesTab(sheet) for sheet in sheets]

    def _no_tab(self, tab: str) -> NotFoundError:
        return NotFoundError(f"The spreadsheet has no tab {tab!r}.", "Tab names are in its bottom line.")
