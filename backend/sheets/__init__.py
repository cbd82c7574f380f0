"""The Sheet seam: the place where tables appear."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from backend.sheets.table import Table


class Sheet(Protocol):
    """Google, or the local workbook."""

    def publish(self, tables: Sequence[Table], gone: Sequence[str] = ()) -> None:
        """Makes each tab show its table, in one go; removes the tabs called `gone`.

        Only tabs that Sheetrack created are ever written or removed. Publishing the same twice is
        harmless.

        Raises:
            UnavailableError: the sheet could not be written; nothing of `tables` can be relied on.
        """

    def read(self, tab: str) -> list[list[str | int | float | bool | None]]:
        """The plain values of a tab, row by row.

        Raises:
            NotFoundError: there is no such tab.
        """


class Tabs(Protocol):
    """The tables that the tabs show now, for whoever draws them."""

    def tabs(self) -> list[tuple[str, datetime]]:
        """Every tab's name and when it last changed, in the order in which they are shown."""

    def table(self, tab: str) -> tuple[Table, datetime]:
        """Raises: NotFoundError: there is no such tab."""
