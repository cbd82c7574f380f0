"""A tab of Sheetrack's: how it is recognised, and the requests that make it show a table. Pure.

A tab is Sheetrack's if it carries its developer metadata and still has the name that Sheetrack gave it. People
keep a tab by renaming it: it is never written again. A copy of a tab has another sheet ID than its metadata.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from backend.sheets.google.cells import Values
from backend.sheets.google.changes import Grid, changes, whole
from backend.sheets.google.grid import Drawing
from backend.sheets.google.layout import Layout

KEY = "sheetrack-tab"
RELEASE = version("sheetrack")
_UNKNOWN_RANK = 2**53
"""Of a tab that an older Sheetrack made; it is known once that tab is published again."""
_WARNING = "Sheetrack writes this tab. Rename it to keep it as it is. Its name: "
"""The protection of a tab of Sheetrack's has the tab's ID and this text, so that it is known without its mark."""


@dataclass(frozen=True)
class OurTab:
    name: str
    """The name of its table; `title` differs where people had a tab of that name already."""
    title: str
    sheet_id: int
    mark: int | None
    """The ID of its metadata; None where that was deleted."""
    index: int
    rank: int
    release: str
    """The release of Sheetrack that drew it."""
    look: Mapping[str, Any] = field(default_factory=dict)
    """What is known of how it was laid out."""
    rules: Sequence[Values] = ()
    """Its conditional formats, those of people among them."""
    grid: Mapping[str, int] = field(default_factory=dict)
    """Its size and its frozen panes."""
    is_kept: bool = False
    """Whether people renamed it, and so keep it."""

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.grid.get("rowCount", 0), self.grid.get("columnCount", 0)


def read_tab(sheet: Mapping[str, Any]) -> OurTab | None:
    """The tab as Sheetrack marked it; None where it is another's, or a copy."""
    properties = sheet["properties"]
    sheet_id = properties.get("sheetId", 0)
    mark, number = _mark_in(sheet)
    if mark.get("sheet") != sheet_id:
        return None
    return OurTab(
        name=mark["tab"],
        title=mark["title"],
        sheet_id=sheet_id,
        mark=number,
        index=properties.get("index", 0),
        rank=mark.get("rank", _UNKNOWN_RANK),
        release=mark.get("release", ""),
        look=mark.get("look", {}),
        rules=sheet.get("conditionalFormats", []),
        grid=properties.get("gridProperties", {}),
        is_kept=mark["title"] != properties["title"],
    )


def _mark_in(sheet: Mapping[str, Any]) -> tuple[Mapping[str, Any], int | None]:
    """What a tab's metadata says, and its ID; where it is gone or damaged, what its protection says."""
    for entry in sheet.get("developerMetadata", []):
        if entry.get("metadataKey") == KEY:
            try:
                mark = json.loads(entry["metadataValue"])
                return {"tab": mark["tab"], "title": mark["title"], **mark}, entry["metadataId"]
            except (ValueError, TypeError, KeyError):
                continue
    for entry in sheet.get("protectedRanges", []):
        about = entry.get("description", "")
        if about.startswith(_WARNING):
            title = about.removeprefix(_WARNING)
            name = re.sub(r" \(Sheetrack( \d+)?\)$", "", title)
            # A copy of a tab has another ID than its protection.
            return {"tab": name, "title": title, "sheet": entry["protectedRangeId"]}, None
    return {}, None


def show(
    drawing: Drawing, layout: Layout, tab: OurTab, before: OurTab | None, shown: Grid | None
) -> list[Values]:
    """Makes the tab show the drawing; `before` is the tab as it is now, None where it does not exist."""
    place = {"sheetId": tab.sheet_id}
    size = {"rowCount": layout.row_count, "columnCount": layout.column_count}
    batch: list[Values] = []
    if before is None:
        properties = place | {"title": tab.title, "index": tab.index, "gridProperties": size}
        about = {
            "protectedRangeId": tab.sheet_id,
            "description": _WARNING + tab.title,
            "warningOnly": True,
        }
        protection = about | {"range": place}
        batch = [
            {"addSheet": {"properties": properties}},
            {"addProtectedRange": {"protectedRange": protection}},
        ]
    elif before.size != (layout.row_count, layout.column_count):
        size |= _thawed(before, layout)
        fields = ",".join(f"gridProperties.{name}" for name in size)
        properties = place | {"gridProperties": size}
        batch = [{"updateSheetProperties": {"properties": properties, "fields": fields}}]
    batch += layout.requests(tab.look, tab.size[1], tab.rules)
    about_it = (layout.look, tab.rank, RELEASE)
    if before is None or before.mark is None or (before.look, before.rank, before.release) != about_it:
        batch += _mark(tab, layout)
    if shown is None:
        return batch + whole(drawing.grid, tab.sheet_id)
    return batch + changes(shown, drawing.grid, tab.sheet_id, (layout.row_count, layout.column_count))


def _thawed(before: OurTab, layout: Layout) -> Values:
    """The frozen counts to set where people froze more than the tab is about to have."""
    frozen = {}
    if before.grid.get("frozenRowCount", 0) >= layout.row_count:
        frozen["frozenRowCount"] = layout.frozen_rows
    if before.grid.get("frozenColumnCount", 0) >= layout.column_count:
        frozen["frozenColumnCount"] = 1
    return frozen


def _mark(tab: OurTab, layout: Layout) -> list[Values]:
    value = {
        "tab": tab.name,
        "title": tab.title,
        "sheet": tab.sheet_id,
        "look": layout.look,
        "rank": tab.rank,
        "release": RELEASE,
    }
    mark = {
        "metadataId": tab.mark or tab.sheet_id,
        "metadataKey": KEY,
        "metadataValue": json.dumps(value),
        "location": {"sheetId": tab.sheet_id},
        "visibility": "DOCUMENT",
    }
    return [*unmark(tab), {"createDeveloperMetadata": {"developerMetadata": mark}}]


def unmark(tab: OurTab) -> list[Values]:
    """Where there is no mark, Google deletes nothing and says nothing."""
    lookup = {"metadataId": tab.mark or tab.sheet_id}
    return [{"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": lookup}}}]
