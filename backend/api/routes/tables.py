from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import AwareDatetime, BaseModel

from backend.reply import reply
from backend.settings import Settings
from backend.sheets import StoredSheet
from backend.sheets.table import Table


class TabPath(BaseModel):
    name: str


class Tab(BaseModel):
    name: str
    updated_at: AwareDatetime


class TablesReply(BaseModel):
    title: str
    tables: list[Tab]


class TableReply(BaseModel):
    updated_at: AwareDatetime
    table: Table


def routes(settings: Settings, workbook: StoredSheet) -> APIBlueprint:
    blueprint = APIBlueprint("tables", __name__, url_prefix="/api/tables", abp_tags=[Tag(name="tables")])

    @blueprint.get("", responses={200: TablesReply})
    def list_tables() -> Response:
        """The tabs, with the time of the last change of each."""
        shown = [Tab(name=name, updated_at=at) for name, at in workbook.tabs()]
        return reply(TablesReply(title=settings.title, tables=shown))

    @blueprint.get("/<name>", responses={200: TableReply})
    def show_table(path: TabPath) -> Response:
        """The content of a tab."""
        table, at = workbook.table(path.name)
        return reply(TableReply(updated_at=at, table=table))

    return blueprint
