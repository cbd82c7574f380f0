"""Why a training ends before its result. Needs no torch."""

import signal
from types import FrameType


class TrainingError(Exception):
    """A training cannot start or go on; the message is one sentence with what to do."""


class Stopped(BaseException):
    """A person or the machine asked to stop (SIGINT, SIGTERM)."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_code = 128 + signal_number


class TimedOut(BaseException):
    """The time limit of the training is over."""

    exit_code = 124


def stop_on_signals() -> None:
    """Has SIGINT and SIGTERM raise `Stopped`, once: a second Ctrl-C must not disturb the end of the training."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def _stop(number: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise Stopped(number)
