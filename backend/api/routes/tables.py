from datetime import datetime
from functools import lru_cache

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import AwareDatetime, BaseModel
from pydantic_core import to_json

from backend.api.document import json_of
from backend.errors import NotFoundError
from backend.reply import reply
from backend.settings import Settings
from backend.sheets import StoredSheet
from backend.sheets.table import Table
from backend.tabs.display import Display
from backend.tabs.names import is_run_tab, run_in
from backend.times import now

_KEPT = 8
"""Answers with tabs that are kept."""


class TabPath(BaseModel):
    name: str


class Tab(BaseModel):
    name: str
    label: str
    """What a tab of a run is about, in few words; empty for other tabs."""
    updated_at: AwareDatetime


class TablesReply(BaseModel):
    title: str
    tables: list[Tab]


class TableReply(BaseModel):
    updated_at: AwareDatetime
    table: Table


def routes(settings: Settings, workbook: StoredSheet, display: Display) -> APIBlueprint:
    blueprint = APIBlueprint("tables", __name__, url_prefix="/api/tables", abp_tags=[Tag(name="tables")])

    @lru_cache(maxsize=_KEPT)
    def of_ours(name: str, at: datetime) -> str:
        """The answer with a tab of Sheetrack's, as it is since that moment; a `TableReply`, of stored JSON."""
        content, at = workbook.table_json(name)
        return f'{{"updated_at":{to_json(at).decode()},"table":{content}}}'

    @blueprint.get("", responses={200: json_of(TablesReply)})
    def list_tables() -> Response:
        """The tabs, with the time of the last change of each."""
        labels = display.labels
        shown = [Tab(name=name, label=labels.get(name, ""), updated_at=at) for name, at in workbook.tabs()]
        return reply(TablesReply(title=settings.title, tables=shown))

    @blueprint.get("/<name>", responses={200: json_of(TableReply)})
    def show_table(path: TabPath) -> Response:
        """The content of a tab; that of a finished run that has no tab is drawn now."""
        at = None if path.name.endswith(".csv") else dict(workbook.tabs()).get(path.name)
        if at is not None:
            return Response(of_ours(path.name, at), mimetype="application/json")
        try:
            table, at = workbook.table(path.name)
        except NotFoundError:
            drawn = display.run_table(run_in(path.name)) if is_run_tab(path.name) else None
            if drawn is None:
                raise
            table, at = drawn, now()
        return reply(TableReply(updated_at=at, table=table))

    return blueprint
