"""The readings of every server."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Row
from backend.probe.snapshot import Snapshot

log = logging.getLogger(__name__)


class _Snapshot(Row):
    __tablename__ = "snapshots"
    id: Mapped[int] = mapped_column(primary_key=True)
    server: Mapped[str]
    at: Mapped[datetime]
    content: Mapped[str]


class Readings:
    """Safe to use from several threads and processes."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._reading = database.execution_options(reading=True)

    def remember(self, snapshots: Sequence[Snapshot]) -> None:
        rows = [{"server": s.server, "at": s.at, "content": s.model_dump_json()} for s in snapshots]
        if rows:
            with self._database.begin() as connection:
                connection.execute(sa.insert(_Snapshot), rows)

    def between(self, server: str, since: datetime, until: datetime | None = None) -> list[Snapshot]:
        """The server's snapshots from `since` on, and before `until`, oldest first; without broken ones."""
        query = (
            sa.select(_Snapshot.content)
            .where(_Snapshot.server == server, _Snapshot.at >= since)
            .order_by(_Snapshot.at)
        )
        if until is not None:
            query = query.where(_Snapshot.at < until)
        with self._reading.connect() as connection:
            contents = connection.scalars(query).all()
        return list(_valid(server, contents))

    def first_at(self, server: str, since: datetime | None) -> datetime | None:
        """When the server's oldest snapshot from `since` on was taken, None without any."""
        query = sa.select(sa.func.min(_Snapshot.at)).where(_Snapshot.server == server)
        if since is not None:
            query = query.where(_Snapshot.at >= since)
        with self._reading.connect() as connection:
            return connection.scalar(query)

    def forget_before(self, moment: datetime) -> int:
        """Deletes old readings; returns how many."""
        with self._database.begin() as connection:
            return connection.execute(sa.delete(_Snapshot).where(_Snapshot.at < moment)).rowcount


def _valid(server: str, contents: Sequence[str]) -> Iterator[Snapshot]:
    broken = 0
    for content in contents:
        try:
            yield Snapshot.model_validate_json(content)
        except ValidationError:
            broken += 1
    if broken:
        log.warning("%d stored readings of %s cannot be read and are left out", broken, server)
