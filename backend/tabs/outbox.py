"""Tabs that wait until the sheets show them."""

import secrets
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Row
from backend.times import now


class _Outgoing(Row):
    __tablename__ = "outbox"
    tab: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[str | None]
    version: Mapped[str]
    put_at: Mapped[datetime]


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
                connection.execute(insert(_Outgoing).values(row).on_conflict_do_update(["tab"], set_=row))

    def waiting(self) -> list[Outgoing]:
        """The tabs that are not published yet, in the order in which they were put."""
        query = sa.select(_Outgoing).order_by(_Outgoing.put_at, _Outgoing.tab)
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
                    sa.delete(_Outgoing).where(_Outgoing.tab == item.tab, _Outgoing.version == item.version)
                )
