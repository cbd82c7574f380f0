"""The tabs of a spreadsheet, those of Sheetrack among them, and the batch that makes them show tables. Pure."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backend.sheets.google.cells import Values
from backend.sheets.google.changes import Grid
from backend.sheets.google.grid import Drawing
from backend.sheets.google.layout import lay_out
from backend.sheets.google.lease import Lease, read_lease, release
from backend.sheets.google.our_tab import RELEASE, OurTab, read_tab, show, unmark
from backend.sheets.table import Table

METADATA = (
    "properties(timeZone),developerMetadata(metadataId,metadataKey,metadataValue),"
    "sheets(properties(sheetId,title,index,gridProperties(rowCount,columnCount,frozenRowCount,frozenColumnCount)),"
    "developerMetadata(metadataId,metadataKey,metadataValue),"
    "conditionalFormats(booleanRule(condition),gradientRule,ranges),protectedRanges(protectedRangeId,description))"
)


@dataclass(frozen=True)
class Plan:
    """What makes tabs show tables."""

    batch: list[Values]
    grids: dict[int, tuple[Grid, tuple[int, int]]]
    """What each tab shows after that, by its ID, and its rows and columns."""


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
    lease: Lease | None
    """Which backend wrote the spreadsheet last."""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "Book":
        """From a `spreadsheets.get` of `METADATA`."""
        sheets = answer.get("sheets", [])
        properties = [sheet["properties"] for sheet in sheets]
        ours = [tab for tab in map(read_tab, sheets) if tab]
        return cls(
            ours={tab.name: tab for tab in ours if not tab.is_kept},
            titles=frozenset(entry["title"].casefold() for entry in properties),
            ids=frozenset(entry.get("sheetId", 0) for entry in properties),
            kept=[tab for tab in ours if tab.is_kept],
            protections=frozenset(
                entry["protectedRangeId"] for sheet in sheets for entry in sheet.get("protectedRanges", [])
            ),
            zone=zone_named(answer.get("properties", {}).get("timeZone", "")),
            lease=read_lease(answer.get("developerMetadata", [])),
        )

    def plan(
        self, tables: Sequence[Table], gone: Sequence[str], lookup: str, shown: Mapping[int, Grid]
    ) -> Plan:
        """One batch that makes each tab show its table and removes the tabs called `gone`.

        `lookup` names the table that formulas in people's tabs look into; `shown` has the cells that tabs show
        for sure, by ID.
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
        plan = Plan([], {})
        for table in in_order:
            drawing = Drawing(table, gids, self.zone, is_lookup=table.name == lookup)
            tab = tabs[table.name]
            layout = lay_out(drawing, tab.sheet_id)
            plan.batch.extend(show(drawing, layout, tab, self.ours.get(table.name), shown.get(tab.sheet_id)))
            plan.grids[tab.sheet_id] = drawing.grid, (layout.row_count, layout.column_count)
        plan.batch.extend({"deleteSheet": {"sheetId": tab.sheet_id}} for tab in removed)
        return plan

    def removal(self) -> list[Values]:
        """The requests that remove Sheetrack's tabs, and its marks and warnings from tabs that people keep."""
        batch: list[Values] = []
        for tab in self.kept:
            if tab.sheet_id in self.protections:
                batch.append({"deleteProtectedRange": {"protectedRangeId": tab.sheet_id}})
            batch += unmark(tab)
        if self.ours and len(self.ours) == len(self.ids):
            batch.append({"addSheet": {}})  # a spreadsheet needs at least one tab
        batch += [{"deleteSheet": {"sheetId": tab.sheet_id}} for tab in self.ours.values()]
        return batch + ([release(self.lease)] if self.lease else [])

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
        return OurTab(name, title, sheet_id, sheet_id, index, table.rank, RELEASE)


def harmless() -> list[Values]:
    """Requests that write invisible metadata and remove it again, to check the permission to write."""
    number = secrets.randbelow(2**31 - 1) + 1
    mark = {
        "metadataId": number,
        "metadataKey": "sheetrack-try",
        "location": {"spreadsheet": True},
        "visibility": "PROJECT",
    }
    lookup = {"metadataId": number}
    return [
        {"createDeveloperMetadata": {"developerMetadata": mark}},
        {"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": lookup}}},
    ]


def zone_named(name: str) -> tzinfo:
    """The time zone called `name`, UTC where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
