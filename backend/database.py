"""The one SQLite file: opened, brought up to date, and its errors put into words."""

import fcntl
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, DisconnectionError, IntegrityError, OperationalError

from backend.errors import SheetrackError, UnavailableError

SCHEMA = "0016"
"""The newest revision in `migrations/versions`."""

_PATIENCE_SECONDS = 15
_FULL = "database or disk is full"
"""SQLite's words."""
_NO_ROOM = ("SQLITE_FULL", "SQLITE_IOERR")
_READS_ALONE, _WAS_USED = "reads alone", "was used"
"""Marks of connections."""


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


def open_database(file: Path, *, is_served: Callable[[], bool] = lambda: False) -> sa.Engine:
    """The database in `file`, made or brought up to date where needed.

    While a full disk has no room for the files that SQLite keeps beside it, it can be read all the same.

    Args:
        file: may not exist yet.
        is_served: whether a backend works with the file in another process. Its schema is then left as it is.

    Raises:
        UnavailableError: the file cannot be opened, another release of Sheetrack made it and it cannot be
            brought up to date now, or it is damaged.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = sa.create_engine(f"sqlite:///{file}", connect_args={"timeout": _PATIENCE_SECONDS})

    @sa.event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, record: Any, _options: object, _named: object) -> sqlite3.Connection:
        connection, record.info[_READS_ALONE] = _connected(file)
        connection.isolation_level = None  # transactions begin below, not by sqlite3's own guess
        return connection

    @sa.event.listens_for(engine, "checkout")
    def _check_out(_connection: object, record: Any, _proxy: object) -> None:
        # Each use of one that reads alone first tries whether the disk has room again.
        if record.info[_READS_ALONE] and record.info.get(_WAS_USED):
            raise DisconnectionError
        record.info[_WAS_USED] = True

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A writer takes the write lock first: two processes then wait for each other
        # instead of failing half way.
        reading = connection.get_execution_options().get("reading")
        if not reading and connection.info[_READS_ALONE]:
            raise OperationalError("BEGIN IMMEDIATE", None, sqlite3.OperationalError(_FULL))
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    try:
        with explained(file):
            if _revision(engine) != SCHEMA:
                with _only_one(file):
                    if (revision := _revision(engine)) != SCHEMA:
                        _bring_up_to_date(engine, file, revision, is_served)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _connected(file: Path) -> tuple[sqlite3.Connection, bool]:
    """A connection, and whether it can only read, because the disk has no room for the files beside the store."""
    connection = sqlite3.connect(file, timeout=_PATIENCE_SECONDS, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        connection.close()
        if not error.sqlite_errorname.startswith(_NO_ROOM) or _has_log(file):
            raise
        # What is in the file is all: another process that works with it would have made these files.
        unchanging = f"file:{quote(str(file))}?immutable=1"
        return sqlite3.connect(unchanging, uri=True, check_same_thread=False), True
    return connection, False


def _has_log(file: Path) -> bool:
    """Whether a part of what is stored stands beside the file."""
    with suppress(FileNotFoundError):
        return file.with_name(f"{file.name}-wal").stat().st_size > 0
    return False


def _revision(engine: sa.Engine) -> str | None:
    with engine.execution_options(reading=True).connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return revision


@contextmanager
def _only_one(file: Path) -> Iterator[None]:
    """Of several processes that want to change the schema, one does it and the others wait.

    Raises:
        UnavailableError: they wait for too long.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    with file.with_name(f"{file.name}.lock").open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise UnavailableError(
                        f"Another process brings {file} up to date.", "Try again in a minute."
                    ) from None
                time.sleep(0.05)
            else:
                break
        yield


def _bring_up_to_date(
    engine: sa.Engine, file: Path, revision: str | None, is_served: Callable[[], bool]
) -> None:
    if is_served():
        raise UnavailableError(
            f"A backend of another release of Sheetrack works with {file}.",
            "Stop it, then start `sheetrack up` of this release; trainings continue meanwhile.",
        )
    if revision is not None and revision < SCHEMA:
        copy_to(engine, copies(file) / f"{file.stem}-before-{SCHEMA}{file.suffix}")
    with engine.connect() as connection:
        _migrate(connection, file)


def _migrate(connection: sa.Connection, file: Path) -> None:
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
            f"{file} was made by a newer Sheetrack.", "Update Sheetrack on this machine."
        ) from error


def write_fault(engine: sa.Engine, file: Path) -> str:
    """Why nothing can be stored in the database in `file` now; empty where it can."""
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = version_num"))
    except DatabaseError as error:
        return str(database_error(error, file))
    return ""


def copies(file: Path) -> Path:
    """The folder of the copies of the database in `file`."""
    return file.with_name("copies")


def copy_to(engine: sa.Engine, file: Path) -> None:
    """Writes the content of a database to `file`, whole or not at all, for its owner alone.

    Raises:
        UnavailableError: there is no space, or the database is damaged.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    try:
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        # Outside a transaction, in which SQLite makes no copy.
        with explained(file), engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)  # noqa: S101
            try:
                driver.execute("VACUUM INTO ?", (str(draft),))
            except sqlite3.DatabaseError as error:
                raise database_error(DatabaseError("VACUUM INTO", None, error), file) from error
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def look_into(file: Path) -> tuple[str | None, str]:
    """The schema of the database in `file`, and what is damaged there, empty if nothing is. Changes nothing.

    Raises:
        UnavailableError: the file cannot be read.
    """
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=_PATIENCE_SECONDS)
        ) as connection:
            found = [str(line) for (line,) in connection.execute("PRAGMA quick_check(3)")]
            if found != ["ok"]:
                return None, "; ".join(found)
            named = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
            if connection.execute(named).fetchone() is None:
                return None, ""
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or (None,)
            return revision, ""
    except sqlite3.DatabaseError as error:
        if is_damage(str(error)):
            return None, str(error)
        raise database_error(DatabaseError("PRAGMA quick_check", None, error), file) from error


def is_damage(text: str) -> bool:
    """Whether a message of SQLite says that the file is damaged."""
    return "malformed" in text or "not a database" in text


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
    if is_damage(text):
        return UnavailableError(
            f"{place} is damaged: {text}.",
            "Put a copy in its place: `sheetrack doctor` names the newest one.",
        )
    return UnavailableError(f"{place} cannot be used: {text}.", "Run `sheetrack doctor`.")
