"""Tabs that wait until the sheets show them."""

import secrets
from collections.abc import Sequence

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlalchemy.dialects.sqlite import insert

from backend.database import Moment
from backend.times import now

_OUTBOX = sa.table(
    "outbox",
    sa.column("tab", sa.Text),
    sa.column("content", sa.Text),
    sa.column("version", sa.Text),
    sa.column("put_at", Moment),
)


class Outgoing(BaseModel):
    """A tab that the sheet does not show yet: its table as JSON, None where the tab is to be removed."""

    model_config = ConfigDict(frozen=True)

    tab: str
    content: str | None
    version: str


class Outbox:
    """Safe to use from several threads and processes."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._reading = database.execution_options(reading=True)

    def put(self, contents: dict[str, str | None]) -> None:
        """Stores tables that are to be published; the newest one of a tab replaces an older one."""
        at = now()
        with self._database.begin() as connection:
            for tab, content in contents.items():
                row = {"tab": tab, "content": content, "version": secrets.token_hex(8), "put_at": at}
                connection.execute(insert(_OUTBOX).values(row).on_conflict_do_update(["tab"], set_=row))

    def waiting(self) -> list[Outgoing]:
        """The tabs that are not published yet, in the order in which they were put."""
        query = sa.select(_OUTBOX).order_by(_OUTBOX.c.put_at, _OUTBOX.c.tab)
        with self._reading.connect() as connection:
            return [
                Outgoing(tab=row.tab, content=row.content, version=row.version)
                for row in connection.execute(query)
            ]

    def sent(self, published: Sequence[Outgoing]) -> None:
        """Removes what was published, unless a newer table of the tab was put meanwhile."""
        with self._database.begin() as connection:
            for item in published:
                connection.execute(
                    sa.delete(_OUTBOX).where(_OUTBOX.c.tab == item.tab, _OUTBOX.c.version == item.version)
                )
