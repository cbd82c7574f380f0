"""The lock of a home: one backend serves it. The kernel releases it however the backend ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from backend.errors import ConflictError
from backend.settings import Home

_TRIES = 10


@contextmanager
def only_backend(home: Home) -> Iterator[None]:
    """Holds the lock until the block ends.

    Raises:
        ConflictError: another backend serves this home.
    """
    home.path.mkdir(parents=True, exist_ok=True)
    with home.lock_file.open("a+") as lock:
        # `is_served` of another process may hold it for a moment.
        if not any(_taken(lock) for _ in range(_TRIES)):
            lock.seek(0)
            raise ConflictError(
                f"Another backend (process {lock.read().strip() or 'unknown'}) already serves {home.path}.",
                "Stop it, or set SHEETRACK_HOME to another folder.",
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(0.05)
        return False
    return True


def is_served(home: Home) -> bool:
    """Whether a backend serves this home now."""
    try:
        with home.lock_file.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
