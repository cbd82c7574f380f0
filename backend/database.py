"""The one SQLite file: opened, brought up to date, and its errors put into words."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import DeclarativeBase

from backend.errors import SheetrackError, UnavailableError

SCHEMA = "0009"
"""The newest revision in `migrations/versions`."""


class Moment(sa.types.TypeDecorator[datetime]):
    """An aware moment, kept as milliseconds since 1970 so that it sorts and prunes by number."""

    impl = sa.Integer
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        del dialect
        return None if value is None else round(value.timestamp() * 1000)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        del dialect
        return None if value is None else datetime.fromtimestamp(value / 1000, UTC)


class Row(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: Moment}


def open_database(file: Path) -> sa.Engine:
    """The database in `file`, made or brought up to date where needed.

    Raises:
        UnavailableError: the file cannot be opened, or a newer Sheetrack made it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(f"sqlite:///{file}", connect_args={"timeout": 15})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.isolation_level = None  # transactions begin below, not by sqlite3's own guess

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A writer takes the write lock first: two processes then wait for each other
        # instead of failing half way.
        reading = connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    with explained(file), engine.connect() as connection:
        _migrate(connection, file)
    return engine


def _migrate(connection: sa.Connection, file: Path) -> None:
    revision = None
    if sa.inspect(connection).has_table("alembic_version"):
        revision = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if revision == SCHEMA:
        return
    # Alembic takes a third of a second to import; most commands find nothing to do.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
        connection.commit()
    except CommandError as error:
        raise UnavailableError(
            f"{file} was made by a newer Sheetrack (schema {revision}).", "Update Sheetrack on this machine."
        ) from error


@contextmanager
def explained(file: Path) -> Iterator[None]:
    """Turns the database's own errors into sentences."""
    try:
        yield
    except IntegrityError:
        raise
    except DatabaseError as error:
        raise database_error(error, file) from error
    except OSError as error:
        raise UnavailableError(f"{file} cannot be used: {error.strerror}.", "Check the folder.") from error


def database_error(error: DatabaseError, file: Path | None = None) -> SheetrackError:
    """What a failed statement means to a person."""
    text, place = str(error.orig), file or "the store"
    if "full" in text or "disk I/O" in text:
        return UnavailableError(
            f"The disk is full: {place} cannot be written. Nothing stored was harmed.",
            "Free some space; what is pending then continues.",
        )
    if "locked" in text:
        return UnavailableError(f"{place} is busy.", "Try again in a moment.")
    if "readonly" in text or "unable to open" in text:
        return UnavailableError(f"{place} cannot be written: {text}.", "Check the folder's permissions.")
    return UnavailableError(f"{place} cannot be used: {text}.", "Run `sheetrack doctor`.")
