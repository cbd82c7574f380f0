"""The one tree of errors that reach people, each a sentence and what to do next.

SheetrackError
├── InvalidError      what was asked for makes no sense            400
├── RefusedError      the asker may not do this                    403
├── NotFoundError     no such server, job, run or tab              404
├── ConflictError     it cannot be done in the state things are in 409
└── UnavailableError  something else has to work first             503
"""

import errno
import os
import traceback
from datetime import UTC, datetime
from pathlib import Path

LEAST_FREE_MIB = 16
"""Free space of a disk below which it is called full: no job starts."""
_LARGEST_FAILURE_FILE_BYTES = 1_000_000


class SheetrackError(Exception):
    """Something a person should know: `message` says what is wrong, `hint` what to do."""

    status = 500
    code = "failed"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidError(SheetrackError):
    status = 400
    code = "invalid"


class RefusedError(SheetrackError):
    status = 403
    code = "refused"


class NotFoundError(SheetrackError):
    status = 404
    code = "not_found"


class ConflictError(SheetrackError):
    status = 409
    code = "conflict"


class UnavailableError(SheetrackError):
    status = 503
    code = "unavailable"


def free_mib(folder: Path) -> int:
    """The free space of the disk of a folder."""
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize >> 20


def full_disk(place: object = None) -> UnavailableError:
    """The error for a full disk, that of `place` where it is known."""
    which = f"The disk of {place}" if place else "The disk"
    return UnavailableError(f"{which} is full.", "Free some space; what is pending then continues.")


def is_full_disk(error: OSError) -> bool:
    """Whether the system refused to write because the disk is full, or a quota used up."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def note_failure(error: BaseException, file: Path) -> str:
    """Adds the traceback of an unexpected error to `file`; returns a sentence for people.

    The sentence has the error's class and not its text, which may hold a secret.
    """
    failed = f"Something in Sheetrack failed ({type(error).__name__})"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        is_large = file.exists() and file.stat().st_size > _LARGEST_FAILURE_FILE_BYTES
        with file.open("w" if is_large else "a", encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n")
            log.writelines(traceback.format_exception(error))
    except OSError as reason:
        return f"{failed}; {file} cannot be written either: {reason.strerror}."
    return f"{failed}; {file} has the traceback."
