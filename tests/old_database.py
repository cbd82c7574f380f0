"""A database as an earlier version of Sheetrack left it."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from backend import database


def database_of(file: Path, revision: str, table: str, *rows: dict[str, Any]) -> None:
    """Makes `file` with the schema of `revision` and `rows` in `table`."""
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.execute(sa.table(table, *map(sa.column, rows[0])).insert(), list(rows))
    engine.dispose()
