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
