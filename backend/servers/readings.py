"""The readings of every server, and the past of each that the next backend goes on from."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from backend.database import Moment
from backend.probe.snapshot import Snapshot
from backend.servers.packing import packed, unpacked

log = logging.getLogger(__name__)

_AT_ONCE = 500  # rows that one transaction deletes: milliseconds
_PAUSE_SECONDS = 0.02  # between two of them, for others that wait to write


class _AsStored(sa.types.UserDefinedType[bytes | str]):
    """Bytes; older releases stored text."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "BLOB"


_SNAPSHOTS = sa.table(
    "snapshots",
    sa.column("id", sa.Integer),
    sa.column("server", sa.Text),
    sa.column("at", Moment),
    sa.column("content", _AsStored),
)

_PASTS = sa.table(
    "pasts",
    sa.column("server", sa.Text),
    sa.column("content", sa.LargeBinary),
)


class Readings:
    """Safe to use from several threads and processes."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._reading = database.execution_options(reading=True)

    def remember(self, snapshots: Sequence[Snapshot], pasts: Mapping[str, str] | None = None) -> None:
        """Stores snapshots together with the past of each server after them, as JSON."""
        rows = [
            {"server": s.server, "at": s.at, "content": packed(s.model_dump_json(exclude_defaults=True))}
            for s in snapshots
        ]
        newest = [{"server": server, "content": packed(past)} for server, past in (pasts or {}).items()]
        if not rows:
            return
        with self._database.begin() as connection:
            connection.execute(sa.insert(_SNAPSHOTS), rows)
            if newest:
                past = insert(_PASTS)
                replaced = past.on_conflict_do_update(["server"], set_={"content": past.excluded.content})
                connection.execute(replaced, newest)

    def past(self, server: str) -> bytes | None:
        """The newest past of the server as JSON, None without any that can be read."""
        query = sa.select(_PASTS.c.content).where(_PASTS.c.server == server)
        with self._reading.connect() as connection:
            content = connection.scalar(query)
        try:
            return None if content is None else unpacked(content)
        except ValueError:
            return None

    def between(self, server: str, since: datetime, until: datetime | None = None) -> list[Snapshot]:
        """The server's snapshots from `since` on, and before `until`, oldest first; without broken ones."""
        query = (
            sa.select(_SNAPSHOTS.c.content)
            .where(_SNAPSHOTS.c.server == server, _SNAPSHOTS.c.at >= since)
            .order_by(_SNAPSHOTS.c.at)
        )
        if until is not None:
            query = query.where(_SNAPSHOTS.c.at < until)
        with self._reading.connect() as connection:
            contents = connection.scalars(query).all()
        return list(_valid(server, contents))

    def first_at(self, server: str, since: datetime | None) -> datetime | None:
        """When the server's oldest snapshot from `since` on was taken, None without any."""
        query = sa.select(sa.func.min(_SNAPSHOTS.c.at)).where(_SNAPSHOTS.c.server == server)
        if since is not None:
            query = query.where(_SNAPSHOTS.c.at >= since)
        with self._reading.connect() as connection:
            first: datetime | None = connection.scalar(query)
        return first

    def forget_before(self, moment: datetime) -> int:
        """Deletes old readings, some at a time so that no other write waits for long; returns how many."""
        some = sa.select(_SNAPSHOTS.c.id).where(_SNAPSHOTS.c.at < moment).limit(_AT_ONCE)
        deleted = 0
        while True:
            with self._database.begin() as connection:
                count = connection.execute(sa.delete(_SNAPSHOTS).where(_SNAPSHOTS.c.id.in_(some))).rowcount
            deleted += count
            if count < _AT_ONCE:
                return deleted
            time.sleep(_PAUSE_SECONDS)


def _valid(server: str, contents: Sequence[bytes | str]) -> Iterator[Snapshot]:
    broken = 0
    for content in contents:
        try:
            yield Snapshot.model_validate_json(unpacked(content))
        except ValueError:
            broken += 1
    if broken:
        log.warning("%d stored readings of %s cannot be read and are left out", broken, server)
