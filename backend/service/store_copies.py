"""Copies of the store, one a day, and how to put one back."""

from datetime import date
from pathlib import Path

import sqlalchemy as sa

from backend.database import copies, copy_to

_KEPT_DAYS = 7


def keep_daily_copy(database: sa.Engine, store_file: Path, today: date) -> None:
    """Copies the store where there is no copy of `today`; the copies of the newest days are kept.

    Raises:
        UnavailableError: there is no space, or the store is damaged. Older copies are then kept.
    """
    folder = copies(store_file)
    copy = folder / f"{store_file.stem}-{today.isoformat()}{store_file.suffix}"
    if copy.exists():
        return
    copy_to(database, copy)
    for old in _daily(store_file)[:-_KEPT_DAYS]:
        old.unlink(missing_ok=True)


def newest_copy(store_file: Path) -> Path | None:
    """The copy of the newest day."""
    return next(reversed(_daily(store_file)), None)


def how_to_restore(store_file: Path) -> str:
    """What a person does with a damaged store."""
    away = f"mv {store_file} {store_file}.damaged; rm -f {store_file}-wal {store_file}-shm"
    later = "Results of later runs are then read from their folders."
    if copy := newest_copy(store_file):
        return f"Stop `sheetrack up`, then run: {away}; cp {copy} {store_file}. {later}"
    return f"There is no copy. Stop `sheetrack up`, then run: {away}. {later} The history of servers is lost."


def _daily(store_file: Path) -> list[Path]:
    pattern = f"{store_file.stem}-????-??-??{store_file.suffix}"
    return sorted(copies(store_file).glob(pattern))
