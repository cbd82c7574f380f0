"""The marks of Sheetrack in people's tabs: developer metadata that moves with its row or column. Pure."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from backend.sheets.google.cells import Values

KEY = "sheetrack-column"

Role = Literal["header", "key", "column"]


@dataclass(frozen=True)
class Mark:
    id: int
    role: Role
    at: int
    """Its row or column now, from 0."""
    title: str = ""
    """Of a column: which column of the lookup tab it shows."""
    protection: int = 0
    """Of a column: the ID of its protected range, which is removed with it; 0 where people removed that."""
    source: str = ""
    """Of a column: where its formula looks. Google adjusts the formula when rows and columns move."""


def read_marks(dimensions: Sequence[Mapping[str, Any]]) -> list[Mark]:
    """The marks of a tab's rows or columns; one that is damaged counts as deleted."""
    marks = []
    for at, dimension in enumerate(dimensions):
        for entry in dimension.get("developerMetadata", []):
            if entry["metadataKey"] == KEY:
                try:
                    marks.append(Mark(id=entry["metadataId"], at=at, **json.loads(entry["metadataValue"])))
                except (ValueError, TypeError, KeyError):
                    continue
    return marks


def new_id() -> int:
    return secrets.randbelow(2**31 - 1) + 1


def create(mark: Mark, sheet_id: int) -> Values:
    """The request that marks the row or column where the mark says it is."""
    value = {key: getattr(mark, key) for key in ("role", "title", "protection", "source")}
    metadata = {
        "metadataId": mark.id,
        "metadataKey": KEY,
        "metadataValue": json.dumps(value),
        "location": {"dimensionRange": _place(mark, sheet_id)},
        "visibility": "DOCUMENT",
    }
    return {"createDeveloperMetadata": {"developerMetadata": metadata}}


def unmark(mark_id: int) -> Values:
    """The request that deletes a mark, wherever it is."""
    return {"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": {"metadataId": mark_id}}}}


def guard(mark: Mark, sheet_id: int, warning: str) -> list[Values]:
    """Requests that change nothing, and that Google refuses if `mark` is no longer at its place.

    A column without its protection is guarded against a move only, not against having been deleted.
    """
    lookup = {
        "metadataId": mark.id,
        "metadataLocation": {"dimensionRange": _place(mark, sheet_id)},
        "locationMatchingStrategy": "EXACT_LOCATION",
    }
    # If it moved, nothing matches here, the mark stays, and Google refuses a second one with its ID.
    batch: list[Values] = [
        {"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": lookup}}},
        create(mark, sheet_id),
    ]
    if mark.protection:
        # A removed column takes its protection along, and Google refuses to update what does not exist.
        protected = {"protectedRangeId": mark.protection, "description": warning}
        batch.append({"updateProtectedRange": {"protectedRange": protected, "fields": "description"}})
    return batch


def dimension(sheet_id: int, kind: str, start: int, count: int = 1) -> Values:
    """`count` rows or columns from `start` on."""
    return {"sheetId": sheet_id, "dimension": kind, "startIndex": start, "endIndex": start + count}


def _place(mark: Mark, sheet_id: int) -> Values:
    return dimension(sheet_id, "ROWS" if mark.role == "header" else "COLUMNS", mark.at)
