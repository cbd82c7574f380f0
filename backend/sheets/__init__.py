"""The Sheet seam: the place where tables appear."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Protocol

from backend.errors import UnavailableError
from backend.sheets.table import Table


class MismatchError(UnavailableError):
    """The sheet does not take this as it is now: somebody changed or locked a part of it, or a name is wrong."""


class Sheet(Protocol):
    """Google, or the local workbook."""

    def publish(self, tables: Sequence[Table], gone: Sequence[str] = ()) -> None:
        """Makes each tab show its table, in one go; removes the tabs called `gone`.

        Only tabs that Sheetrack created are ever written or removed. Publishing the same twice is
        harmless.

        Raises:
            MismatchError: it does not take all of `tables`; fewer it may.
            UnavailableError: it could not be written; nothing of `tables` can be relied on.
        """

    def read(self, tab: str) -> list[list[str | int | float | bool | None]]:
        """The plain values of a tab, row by row.

        Raises:
            NotFoundError: there is no such tab.
        """

    def annotate(self, tab: str, key_column: str, columns: Sequence[str]) -> None:
        """Shows `columns` of the Servers tab beside people's own, by the server names in `key_column`.

        Nothing of theirs is written. An empty `key_column` is guessed. Doing it again changes nothing.

        Raises:
            NotFoundError: there is no such tab or column.
            UnavailableError: the sheet could not be written.
        """

    def errors(self) -> list[str]:
        """What people did that keeps the columns beside theirs from showing what they should, in sentences.

        Raises:
            UnavailableError: the sheet could not be read.
        """

    @property
    def zone(self) -> tzinfo:
        """Where dates without a zone hold."""


class Tabs(Protocol):
    """The tables that the tabs show now, for whoever draws them."""

    def tabs(self) -> list[tuple[str, datetime]]:
        """Every tab's name and when it last changed, in the order in which they are shown."""

    def table(self, tab: str) -> tuple[Table, datetime]:
        """Raises: NotFoundError: there is no such tab."""
