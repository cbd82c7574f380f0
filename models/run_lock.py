"""The lock of a run: a run is being trained while a process holds it. Needs no torch.

A starter takes the lock and hands its descriptor down, so that no moment is without it: the program that it
starts, and the children of that, hold it until the last of them has ended.
"""

import os
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from models import file_lock
from models.process import Identity, identify

VARIABLE = "SHEETRACK_LOCK"
"""The environment variable with the number of the descriptor that was handed down."""
_NOTE_BYTES = 1000
_FULL = b"the disk is full\n"


class AlreadyTrainingError(RuntimeError):
    """Another process holds the lock of this run."""


class RunLock:
    """A lock that this process holds.

    Attributes:
        descriptor: holds it, in every process that has it.
    """

    def __init__(self, file: Path) -> None:
        """Takes over the lock that this process was started with; where there is none, takes it.

        Raises:
            AlreadyTrainingError: another process holds it.
            OSError: the file cannot be written.
        """
        inherited = _inherited(file)
        self.descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644) if inherited is None else inherited
        if not file_lock.take(self.descriptor):
            os.close(self.descriptor)
            raise AlreadyTrainingError(f"run {file.parent.name} is already being trained")

    def note(self, pid: int) -> None:
        """Writes into the file which process holds the lock, for people; a full disk changes nothing."""
        with suppress(OSError, ProcessLookupError):
            content = identify(pid).model_dump_json().encode()
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, content, 0)

    def note_full_disk(self) -> None:
        """Notes that the disk is full, in place: that needs no space."""
        with suppress(OSError):
            os.pwrite(self.descriptor, _FULL, 0)

    def clear(self) -> None:
        """Empties the file; the lock is still held."""
        os.ftruncate(self.descriptor, 0)

    def close(self) -> None:
        """Gives the lock up, unless another process has the descriptor too."""
        os.close(self.descriptor)


def is_locked(file: Path) -> bool:
    """Whether a process holds the lock, on whichever machine.

    Raises:
        OSError: the file cannot be opened, or its file system has no locks.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return file_lock.is_taken(descriptor)
    finally:
        os.close(descriptor)


def holder(file: Path) -> Identity | None:
    """The process that noted itself as the holder of the lock; None: there is none, or it is not known."""
    with suppress(OSError, ValidationError):
        if is_locked(file):
            with file.open("rb") as opened:
                return Identity.model_validate_json(opened.read(_NOTE_BYTES))
    return None


def ended_for_space(file: Path) -> bool:
    """Whether the last process that held the lock ended because the disk was full."""
    with suppress(OSError), file.open("rb") as opened:
        return opened.read(len(_FULL)) == _FULL
    return False


def _inherited(file: Path) -> int | None:
    """The descriptor that was handed down to this process; its children do not look for it again."""
    with suppress(OSError, ValueError):
        descriptor = int(os.environ.pop(VARIABLE, ""))
        if os.path.samestat(os.fstat(descriptor), file.stat()) and file_lock.take(descriptor):
            os.set_inheritable(descriptor, False)
            return descriptor
    return None
