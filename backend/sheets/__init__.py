"""The Sheet seam: the place where tables appear."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from backend.errors import UnavailableError
from backend.sheets.content import TabContent
from backend.sheets.table import Table

NO_SPELLINGS: Mapping[str, str] = MappingProxyType({})


class MismatchError(UnavailableError):
    """The sheet does not take this as it is now: people changed or locked a part of it, or a name is wrong."""


class Sheet(Protocol):
    """Google, or the local workbook."""

    def publish(self, tables: Sequence[Table], gone: Sequence[str] = ()) -> None:
        """Makes each tab show its table, all at once, and removes the tabs called `gone`.

        Only tabs that Sheetrack created are ever written or removed. Publishing the same twice is
        harmless.

        Raises:
            MismatchError: the sheet does not take all of `tables`; it may take fewer.
            UnavailableError: it could not be written; nothing of `tables` can be relied on.
        """

    def shown(self) -> set[str]:
        """The names of Sheetrack's own tabs in the sheet, as far as this release drew them.

        Raises:
            UnavailableError: the sheet could not be read.
        """

    def read(self, tab: str) -> TabContent:
        """The cells of a tab, those of people alone where the tab is theirs.

        Raises:
            NotFoundError: there is no such tab.
        """

    def annotate(
        self, tab: str, key_column: str, columns: Sequence[str], spellings: Mapping[str, str] = NO_SPELLINGS
    ) -> None:
        """Shows `columns` of the lookup tab beside people's own, by the names in `key_column`.

        Nothing of theirs is written. An empty `key_column` is guessed. Repeating it changes nothing. Where a
        name is one of `spellings`, what it stands for is looked up.

        Raises:
            NotFoundError: there is no such tab or column.
            UnavailableError: the sheet could not be written.
        """

    def errors(self) -> list[str]:
        """Sentences: what people did that keeps the columns beside theirs from showing their values.

        Raises:
            UnavailableError: the sheet could not be read.
        """


class StoredSheet(Sheet, Protocol):
    """A sheet that also returns the tables that it shows."""

    def tabs(self) -> list[tuple[str, datetime]]:
        """Every tab's name and when it last changed, in the order in which they are shown."""

    def table(self, tab: str) -> tuple[Table, datetime]:
        """A tab's table and when it last changed.

        Raises:
            NotFoundError: there is no such tab.
            UnavailableError: it cannot be read.
        """

    def table_json(self, tab: str) -> tuple[str, datetime]:
        """A tab of Sheetrack's as JSON, and when it last changed.

        Raises:
            NotFoundError: there is no such tab.
        """

    def contents(self, tabs: Iterable[str]) -> dict[str, str]:
        """The tables of Sheetrack's own tabs among `tabs` as JSON, by name."""
