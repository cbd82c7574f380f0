from datetime import timedelta
from typing import Annotated

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from backend.api.document import json_of
from backend.api.routes.servers import Moment, ServerPath
from backend.errors import InvalidError, NotFoundError
from backend.reply import reply
from backend.servers.gpu_history import GpuCurve
from backend.servers.history import MOST_POINTS, History, Usage
from backend.servers.incidents import Incident, Incidents
from backend.servers.means import Point
from backend.tabs.refresh import Refresh
from backend.times import now


class Span(BaseModel):
    model_config = ConfigDict(extra="forbid")

    since: Annotated[Moment | None, Field(description="By default an hour before `until`")] = None
    until: Annotated[Moment | None, Field(description="By default now")] = None


class HistoryReply(BaseModel):
    points: list[Point]
    """At most a few hundred, oldest first: single readings of up to three hours, means of a longer time."""
    incidents: list[Incident]
    """The newest first."""
    usage: list[Usage]
    """In the hours that the time touches, the most first."""
    gpus: list[GpuCurve]
    """Five-minute means of each GPU, kept for two weeks."""


def routes(refresh: Refresh, history: History, incidents: Incidents) -> APIBlueprint:
    blueprint = APIBlueprint(
        "server_history", __name__, url_prefix="/api/servers", abp_tags=[Tag(name="servers")]
    )

    @blueprint.get("/<name>/history", responses={200: json_of(HistoryReply)})
    def show_history(path: ServerPath, query: Span) -> Response:
        """The load and the incidents of a server over a time, and who used its GPUs."""
        if path.name not in {server.name for server in refresh.servers()}:
            raise NotFoundError(f"There is no server {path.name!r}.", "`sheetrack status` lists them.")
        until = query.until or now()
        since = query.since or until - timedelta(hours=1)
        if since >= until:
            raise InvalidError("The time ends before it begins.", "Give a `since` before `until`.")
        return reply(
            HistoryReply(
                points=history.points(path.name, since, until),
                incidents=incidents.between(path.name, since, until),
                usage=history.usage(path.name, since, until),
                gpus=history.gpus.curves(path.name, since, until, MOST_POINTS),
            )
        )

    return blueprint
