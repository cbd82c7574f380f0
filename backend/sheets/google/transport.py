"""The ways to the Sheets API: four calls, and one error for everything that goes wrong on the way."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from backend.errors import UnavailableError

PASSING = frozenset({429, 500, 502, 503, 504})
FROM_VALUES = {"valueRenderOption": "UNFORMATTED_VALUE", "dateTimeRenderOption": "SERIAL_NUMBER"}
"""How `values` asks for cells: plain values, dates as days since 1899-12-30."""

_RATE_LIMIT = re.compile(r"rate.?limit|quota.?exceeded|resource.?exhausted", re.IGNORECASE)
_LONGEST_MESSAGE = 300
_LATER = "It is tried again later."


class CallError(Exception):
    """A call that brought no answer.

    `meaning` is what a person should read, where the transport knows it better than the status does.
    `passes` says whether the same call may succeed in a moment.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        retry_after: str | None = None,
        meaning: UnavailableError | None = None,
        passes: bool | None = None,
    ) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message.strip().rstrip(".")[:_LONGEST_MESSAGE]
        self.retry_after = retry_after
        self.meaning = meaning
        self.passes = passes if passes is not None else status in PASSING


def silent(seconds: float) -> CallError:
    """No answer within `seconds`. It is not tried again at once: other calls wait for this one."""
    sentence = f"Google did not answer within {seconds:g} s."
    return CallError(504, sentence, meaning=UnavailableError(sentence, _LATER), passes=False)


def is_rate_limit(text: str) -> bool:
    """Whether a refusal with status 403 is about how often was asked, and not about who asks."""
    return _RATE_LIMIT.search(text) is not None


class Transport(Protocol):
    """Carries calls to one spreadsheet. Nothing is tried twice here, and answers are not yet checked.

    Every call raises CallError.
    """

    account: str
    """As whom the spreadsheet is opened, in words."""

    def get(self, fields: str, ranges: Sequence[str]) -> object:
        """`spreadsheets.get`."""

    def values(self, place: str) -> object:
        """`spreadsheets.values.get` of a range in A1 notation."""

    def search(self, body: Mapping[str, Any]) -> object:
        """`spreadsheets.developerMetadata.search`."""

    def batch_update(self, body: Mapping[str, Any]) -> object:
        """`spreadsheets.batchUpdate`."""

    def close(self) -> None:
        """Closes the connections."""
