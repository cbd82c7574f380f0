"""The lock of a home: one backend serves it. The kernel releases it however the backend ends."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from backend.errors import ConflictError
from backend.settings import Home
from models import file_lock
from models.run_lock import is_locked


@contextmanager
def only_backend(home: Home) -> Iterator[None]:
    """Holds the lock until the block ends.

    Raises:
        ConflictError: another backend serves this home.
    """
    home.path.mkdir(parents=True, exist_ok=True)
    with home.lock_file.open("a+b", buffering=0) as lock:
        if not file_lock.take(lock.fileno()):
            lock.seek(0)
            who = lock.read(200).decode(errors="replace").strip() or "an unknown process"
            raise ConflictError(
                f"Another backend ({who}) already serves {home.path}.",
                "Stop it, or set SHEETRACK_HOME to another folder.",
            )
        with suppress(OSError):  # the disk is full: the lock is held all the same
            lock.truncate(0)
            lock.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield


def is_served(home: Home) -> bool:
    """Whether a backend serves this home now, on whichever machine."""
    return is_locked(home.lock_file)
