"""Locks on files: held by an open descriptor, and asked for without being taken. Needs no torch.

The kernel releases a lock when the last process that has the descriptor ends or closes it. A child that
inherits the descriptor holds the lock too.
"""

import fcntl
import os
import struct
import sys

_FLOCK = "hhqqi4x"
"""`struct flock` of Linux: kind, whence, start, length, PID."""


def take(descriptor: int) -> bool:
    """Takes the lock of an open file; returns whether this descriptor holds it now. Twice is harmless.

    Raises:
        OSError: the file is not open for writing, or its file system has no locks.
    """
    try:
        if sys.platform == "linux":
            # Not flock: asking whether it is taken means to take it for a moment, and a process that is
            # stopped at that moment keeps it.
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _wanted())
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def is_taken(descriptor: int) -> bool:
    """Whether another open descriptor of the same file holds the lock. On Linux this takes nothing."""
    if sys.platform == "linux":
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _wanted())
        return bool(struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK)
    if not take(descriptor):
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def is_held(pid: int, descriptor: int) -> bool:
    """Whether a process of this machine holds a lock through this descriptor; only Linux can tell."""
    try:
        with open(f"/proc/{pid}/fdinfo/{descriptor}", encoding="ascii") as facts:  # noqa: PTH123 - many a second
            return any(line.startswith("lock:") for line in facts)
    except OSError:
        return False


def _wanted() -> bytes:
    return struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
