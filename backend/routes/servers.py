from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import AwareDatetime, BaseModel, Field

from backend.errors import NotFoundError
from backend.routes.reply import reply
from backend.snapshot import ServerStatus, Snapshot, now
from backend.store import Store


class ServerPath(BaseModel):
    name: str


class Since(BaseModel):
    since: Annotated[AwareDatetime | None, Field(description="By default the last hour")] = None


class ServersReply(BaseModel):
    updated_at: AwareDatetime
    servers: list[ServerStatus]


class HistoryReply(BaseModel):
    snapshots: list[Snapshot]


def servers(current: Callable[[], Sequence[ServerStatus]], store: Store) -> APIBlueprint:
    routes = APIBlueprint("servers", __name__, url_prefix="/api/servers", abp_tags=[Tag(name="servers")])

    @routes.get("", responses={200: ServersReply})
    def list_servers() -> Response:
        """Every server as it is now, the one to take first."""
        return reply(ServersReply(updated_at=now(), servers=list(current())))

    @routes.get("/<name>/history", responses={200: HistoryReply})
    def history(path: ServerPath, query: Since) -> Response:
        """What a server said since a moment, oldest first."""
        if path.name not in {server.name for server in current()}:
            raise NotFoundError(f"There is no server {path.name!r}.", "`sheetrack status` lists them.")
        since = query.since or now() - timedelta(hours=1)
        return reply(HistoryReply(snapshots=store.recent_snapshots(path.name, since)))

    return routes
