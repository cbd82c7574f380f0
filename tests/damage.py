"""A database whose file was written over."""

import sqlite3
from contextlib import closing
from pathlib import Path


def damage(file: Path) -> None:
    """Writes over the pages of the tables, and leaves the header."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xa5" * (size - 4096))
