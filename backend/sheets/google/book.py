"""Which tabs of a spreadsheet are Sheetrack's, and the requests that make them show tables. Pure.

A tab is Sheetrack's if it carries its developer metadata and still has the name that Sheetrack gave it. People
keep a tab by renaming it: it is never written again. A copy of a tab has another sheet ID than its metadata.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backend.sheets.google.cells import FIELDS, Values
from backend.sheets.google.grid import Drawing
from backend.sheets.google.layout import lay_out
from backend.sheets.table import Table

KEY = "sheetrack-tab"
RELEASE = version("sheetrack")
METADATA = (
    "properties(timeZone),"
    "sheets(properties(sheetId,title,index),developerMetadata(metadataId,metadataKey,metadataValue),"
    "conditionalFormats(ranges(sheetId)),protectedRanges(protectedRangeId))"
)
_UNKNOWN_RANK = 2**53
"""Of a tab that an older Sheetrack made; it is known once that tab is published again."""
_WARNING = "Sheetrack writes this tab. Rename it to keep it as it is."


@dataclass(frozen=True)
class OurTab:
    name: str
    """The name of its table; `title` differs where people had a tab of that name already."""
    title: str
    sheet_id: int
    mark: int
    """The ID of its metadata."""
    index: int
    rank: int
    release: str
    """The release of Sheetrack that drew it."""
    layout_hash: str
    rules: int
    """How many conditional formats it has."""
    is_kept: bool = False
    """Whether people renamed it, and so keep it."""


@dataclass(frozen=True)
class Book:
    """A spreadsheet's tabs at one moment."""

    ours: Mapping[str, OurTab]
    titles: frozenset[str]
    """Of all tabs, case folded, because Google does not distinguish case."""
    ids: frozenset[int]
    kept: Sequence[OurTab]
    """Tabs that people renamed, and so keep."""
    protections: frozenset[int]
    zone: tzinfo

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "Book":
        """From a `spreadsheets.get` of `METADATA`."""
        sheets = answer.get("sheets", [])
        properties = [sheet["properties"] for sheet in sheets]
        ours = [tab for tab in map(_our_tab, sheets) if tab]
        return cls(
            ours={tab.name: tab for tab in ours if not tab.is_kept},
            titles=frozenset(entry["title"].casefold() for entry in properties),
            ids=frozenset(entry.get("sheetId", 0) for entry in properties),
            kept=[tab for tab in ours if tab.is_kept],
            protections=frozenset(
                entry["protectedRangeId"] for sheet in sheets for entry in sheet.get("protectedRanges", [])
            ),
            zone=_zone(answer.get("properties", {}).get("timeZone", "")),
        )

    def requests(self, tables: Sequence[Table], gone: Sequence[str], lookup: str) -> list[Values]:
        """One batch that makes each tab show its table and removes the tabs called `gone`.

        `lookup` names the table that formulas in people's tabs look into.
        """
        ranks = {table.name: table.rank for table in tables}
        removed = [self.ours[name] for name in gone if name in self.ours and name not in ranks]
        tabs = {
            name: replace(tab, rank=ranks.get(name, tab.rank))
            for name, tab in self.ours.items()
            if tab not in removed
        }
        titles = set(self.titles) - {tab.title.casefold() for tab in removed}
        # Each new tab is placed right of those before it, which are there by then.
        in_order = sorted(tables, key=lambda table: (table.rank, table.name))
        for table in in_order:
            if table.name not in tabs:
                new = self._new(table, titles, list(tabs.values()))
                titles.add(new.title.casefold())
                tabs = {
                    name: replace(tab, index=tab.index + (tab.index >= new.index))
                    for name, tab in tabs.items()
                } | {table.name: new}
        gids = {name: tab.sheet_id for name, tab in tabs.items()}
        batch: list[Values] = []
        for table in in_order:
            drawing = Drawing(table, gids, self.zone, is_lookup=table.name == lookup)
            batch += _show(drawing, tabs[table.name], self.ours.get(table.name))
        return batch + [{"deleteSheet": {"sheetId": tab.sheet_id}} for tab in removed]

    def removal(self) -> list[Values]:
        """The requests that remove Sheetrack's tabs, and its marks and warnings from tabs that people keep."""
        batch: list[Values] = []
        for tab in self.kept:
            if tab.sheet_id in self.protections:
                batch.append({"deleteProtectedRange": {"protectedRangeId": tab.sheet_id}})
            batch.append(_unmark(tab.mark))
        if self.ours and len(self.ours) == len(self.ids):
            batch.append({"addSheet": {}})  # a spreadsheet needs at least one tab
        return batch + [{"deleteSheet": {"sheetId": tab.sheet_id}} for tab in self.ours.values()]

    def remarks(self) -> list[str]:
        """A sentence for each tab of Sheetrack's that had to take another name."""
        return [
            f"A tab of yours is called {tab.name!r}, so Sheetrack's own is called {tab.title!r}."
            for tab in self.ours.values()
            if tab.title != tab.name
        ]

    def _new(self, table: Table, titles: set[str], tabs: Sequence[OurTab]) -> OurTab:
        name, place = table.name, (table.rank, table.name)
        candidates = (f"{name} (Sheetrack{'' if n == 1 else f' {n}'})" for n in range(1, 1000))
        title = (
            name
            if name.casefold() not in titles
            else next(c for c in candidates if c.casefold() not in titles)
        )
        taken = self.ids | {tab.sheet_id for tab in tabs}
        sheet_id = next(n for n in iter(lambda: secrets.randbelow(2**31 - 1) + 1, 0) if n not in taken)
        before = [tab.index for tab in tabs if (tab.rank, tab.name) < place]
        after = [tab.index for tab in tabs if (tab.rank, tab.name) > place]
        index = max(before) + 1 if before else min(after, default=len(self.ids))
        return OurTab(name, title, sheet_id, sheet_id, index, table.rank, RELEASE, layout_hash="", rules=0)


def _our_tab(sheet: Mapping[str, Any]) -> OurTab | None:
    """The tab as Sheetrack marked it; None where it is another's, or a copy."""
    properties = sheet["properties"]
    for entry in sheet.get("developerMetadata", []):
        if entry.get("metadataKey") != KEY:
            continue
        mark = json.loads(entry["metadataValue"])
        if mark["sheet"] == properties.get("sheetId", 0):
            return OurTab(
                name=mark["tab"],
                title=mark["title"],
                sheet_id=mark["sheet"],
                mark=entry["metadataId"],
                index=properties.get("index", 0),
                rank=mark.get("rank", _UNKNOWN_RANK),
                release=mark.get("release", ""),
                layout_hash=mark["layout"],
                rules=len(sheet.get("conditionalFormats", [])),
                is_kept=mark["title"] != properties["title"],
            )
    return None


def _show(drawing: Drawing, tab: OurTab, before: OurTab | None) -> list[Values]:
    """Makes the tab show the drawing; `before` is the tab as it is now, None where it does not exist."""
    place = {"sheetId": tab.sheet_id}
    layout = lay_out(drawing, tab.sheet_id)
    size = {"rowCount": layout.row_count, "columnCount": layout.column_count}
    batch: list[Values]
    if before is None:
        properties = place | {"title": tab.title, "index": tab.index, "gridProperties": size}
        about = {"protectedRangeId": tab.sheet_id, "description": _WARNING, "warningOnly": True}
        protection = about | {"range": place}
        batch = [
            {"addSheet": {"properties": properties}},
            {"addProtectedRange": {"protectedRange": protection}},
        ]
    else:
        fields = "gridProperties.rowCount,gridProperties.columnCount"
        properties = place | {"gridProperties": size}
        batch = [{"updateSheetProperties": {"properties": properties, "fields": fields}}]
    if tab.layout_hash != layout.hash:
        batch += [{"deleteConditionalFormatRule": place | {"index": 0}}] * tab.rules
        batch += layout.requests
    if before is None or (before.layout_hash, before.rank, before.release) != (
        layout.hash,
        tab.rank,
        RELEASE,
    ):
        batch += _mark(tab, layout.hash, is_new=before is None)
    rows = [{"values": row} for row in drawing.grid]
    batch.append({"updateCells": {"range": place, "rows": rows, "fields": FIELDS}})
    return batch


def _mark(tab: OurTab, layout_hash: str, *, is_new: bool) -> list[Values]:
    value = {
        "tab": tab.name,
        "title": tab.title,
        "sheet": tab.sheet_id,
        "layout": layout_hash,
        "rank": tab.rank,
        "release": RELEASE,
    }
    mark = {
        "metadataId": tab.mark,
        "metadataKey": KEY,
        "metadataValue": json.dumps(value),
        "location": {"sheetId": tab.sheet_id},
        "visibility": "DOCUMENT",
    }
    create = {"createDeveloperMetadata": {"developerMetadata": mark}}
    return [create] if is_new else [_unmark(tab.mark), create]


def _unmark(mark: int) -> Values:
    return {"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": {"metadataId": mark}}}}


def harmless() -> list[Values]:
    """Requests that write invisible metadata and remove it again, to check the permission to write."""
    number = secrets.randbelow(2**31 - 1) + 1
    mark = {
        "metadataId": number,
        "metadataKey": "sheetrack-try",
        "location": {"spreadsheet": True},
        "visibility": "PROJECT",
    }
    return [{"createDeveloperMetadata": {"developerMetadata": mark}}, _unmark(number)]


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
