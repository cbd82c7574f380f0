"""Servers in maintenance, as people announced it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.dialects.sqlite import insert

from backend.database import Moment
from backend.errors import ConflictError, InvalidError, NotFoundError
from backend.servers.server import Server
from backend.settings import sentence
from backend.text import plain_text
from backend.times import now

_LONGEST_REASON = 200
_LONGEST_NAME = 100
_LAST_YEAR = 2199

_MAINTENANCE = sa.table(
    "maintenance",
    sa.column("server", sa.Text),
    sa.column("reason", sa.Text),
    sa.column("by", sa.Text),
    sa.column("since", Moment),
    sa.column("until", Moment),
)


class Maintenance(BaseModel):
    """Why a server must not be used, who announced it, and until when."""

    model_config = ConfigDict(frozen=True)

    reason: Annotated[str, Field(min_length=1, max_length=_LONGEST_REASON)]
    by: str
    since: AwareDatetime
    until: AwareDatetime | None = None
    """None: until it is ended."""

    def covers(self, moment: datetime) -> bool:
        return self.until is None or moment < self.until


class Maintenances:
    """Safe to use from several threads and processes."""

    def __init__(self, database: sa.Engine, servers: Mapping[str, Server]) -> None:
        self._database = database
        self._reading = database.execution_options(reading=True)
        self._servers = servers

    def begin(self, server: str, reason: str, by: str, until: datetime | None = None) -> None:
        """Puts the server in maintenance, until that moment or until it is ended.

        Raises:
            NotFoundError: there is no such server.
            InvalidError: that moment is past or too far away, or the reason is longer than 200 characters.
        """
        self._check(server)
        if until is not None and until.year > _LAST_YEAR:
            raise InvalidError(
                f"That maintenance would end after {_LAST_YEAR}.", "Leave the end out, and end it later."
            )
        if until is not None and until <= now():
            raise InvalidError("That maintenance would be over already.", "Give a later time.")
        reason, by = plain_text(reason, _LONGEST_REASON + 1), plain_text(by, _LONGEST_NAME)
        try:
            maintenance = Maintenance(reason=reason, by=by, since=now(), until=until)
        except ValidationError as error:
            raise InvalidError(f"{sentence(error)}.", "Give a reason in a few words.") from None
        row = {"server": server, **maintenance.model_dump()}
        with self._database.begin() as connection:
            connection.execute(insert(_MAINTENANCE).values(row).on_conflict_do_update(["server"], set_=row))

    def end(self, server: str) -> None:
        """Ends the server's maintenance. Ending it twice is no error.

        Raises:
            NotFoundError: there is no such server.
            ConflictError: servers.toml says that it is in maintenance.
        """
        self._check(server)
        with self._database.begin() as connection:
            connection.execute(sa.delete(_MAINTENANCE).where(_MAINTENANCE.c.server == server))
        if self._servers[server].maintenance:
            raise ConflictError(
                f"{server} is in maintenance by servers.toml.",
                "Take that line out of the file.",
            )

    def known(self) -> dict[str, Maintenance]:
        """The newest maintenance of each server, over or not, by the server's name."""
        with self._reading.connect() as connection:
            rows = connection.execute(sa.select(_MAINTENANCE)).mappings()
            return {row["server"]: Maintenance.model_validate(dict(row)) for row in rows}

    def _check(self, server: str) -> None:
        if server not in self._servers:
            raise NotFoundError(
                f"There is no server {server!r}.", f"Choose one of {', '.join(self._servers)}."
            )
