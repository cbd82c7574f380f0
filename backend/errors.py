"""The one tree of errors that reach people, each a sentence and what to do next.

SheetrackError
├── InvalidError      what was asked for makes no sense            400
├── RefusedError      the asker may not do this                    403
├── NotFoundError     no such server, job, run or tab              404
├── ConflictError     it cannot be done in the state things are in 409
└── UnavailableError  something else has to work first             503
"""


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
