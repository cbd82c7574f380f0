"""Which backend writes a spreadsheet: two would overwrite each other's tabs. Pure.

The one that writes leaves a mark with the time in the spreadsheet and renews it. Another one takes over once
that is old, and refuses until then.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.errors import UnavailableError
from backend.sheets.google.cells import Values

KEY = "sheetrack-backend"
_ID = 733_873
"""The same for all backends: of two that begin at the same time, Google refuses the second."""
LASTS_SECONDS = 300.0
_RENEWED_SECONDS = 60.0


class OtherBackendError(UnavailableError):
    """Another backend writes the spreadsheet."""


@dataclass(frozen=True)
class Lease:
    """The mark of the backend that wrote a spreadsheet last."""

    id: int
    backend: str
    """Where it runs, in words."""
    at: float
    """When it was renewed, in seconds since 1970."""
    spreadsheet: str
    """The spreadsheet's ID: a copy of it carries the mark along."""
    text: str = ""
    """The mark as it was read."""

    def is_held(self, spreadsheet: str, now: float) -> bool:
        return self.spreadsheet == spreadsheet and abs(now - self.at) < LASTS_SECONDS


def read_lease(metadata: Sequence[Mapping[str, Any]]) -> Lease | None:
    """The lease among the developer metadata of a spreadsheet, one of long ago where it cannot be read."""
    for entry in metadata:
        if entry.get("metadataKey") == KEY:
            text = entry.get("metadataValue", "")
            try:
                return Lease(id=entry["metadataId"], text=text, **json.loads(text))
            except (ValueError, TypeError):
                return Lease(entry["metadataId"], backend="", at=0, spreadsheet="", text=text)
    return None


def check(lease: Lease | None, backend: str, spreadsheet: str, now: float) -> None:
    """Raises: OtherBackendError: another backend holds the spreadsheet."""
    if lease and lease.backend != backend and lease.is_held(spreadsheet, now):
        raise OtherBackendError(
            f"Another backend writes this spreadsheet: {lease.backend}.",
            "Stop one of the two, or connect this one with another spreadsheet. "
            f"{LASTS_SECONDS / 60:.0f} minutes after the other has stopped, this one takes over.",
        )


def renewal(lease: Lease | None, backend: str, spreadsheet: str, now: float) -> list[Values]:
    """Requests that take or renew the lease; none while it is fresh.

    Google refuses them if another backend took it meanwhile.
    """
    if lease is None:
        return [_create(Lease(_ID, backend, now, spreadsheet))]
    if lease.backend == backend and lease.spreadsheet == spreadsheet and now - lease.at < _RENEWED_SECONDS:
        return []
    # A lease that was renewed has another text: this deletes nothing then, and the ID is taken.
    lookup = {"metadataId": lease.id, "metadataValue": lease.text}
    return [
        {"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": lookup}}},
        _create(Lease(lease.id, backend, now, spreadsheet)),
    ]


def release(lease: Lease) -> Values:
    """The request that deletes the lease."""
    lookup = {"metadataId": lease.id}
    return {"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": lookup}}}


def _create(lease: Lease) -> Values:
    metadata = {
        "metadataId": lease.id,
        "metadataKey": KEY,
        "metadataValue": _text(lease),
        "location": {"spreadsheet": True},
        "visibility": "DOCUMENT",
    }
    return {"createDeveloperMetadata": {"developerMetadata": metadata}}


def _text(lease: Lease) -> str:
    return json.dumps({"backend": lease.backend, "at": lease.at, "spreadsheet": lease.spreadsheet})
