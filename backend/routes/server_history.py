from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import AwareDatetime, BaseModel, Field

from backend.errors import InvalidError, NotFoundError
from backend.history import History, Usage
from backend.probe.means import Point
from backend.routes.reply import reply
from backend.routes.servers import ServerPath
from backend.snapshot import ServerStatus, now
from backend.troubles import Trouble, Troubles


class Span(BaseModel):
    since: Annotated[AwareDatetime | None, Field(description="By default an hour before `until`")] = None
    until: Annotated[AwareDatetime | None, Field(description="By default now")] = None


class HistoryReply(BaseModel):
    points: list[Point]
    """At most a few hundred, oldest first: single readings of up to three hours, means of a longer time."""
    troubles: list[Trouble]
    """The newest first."""
    usage: list[Usage]
    """In the hours that the time touches, the most first."""


def server_history(
    current: Callable[[], Sequence[ServerStatus]], history: History, troubles: Troubles
) -> APIBlueprint:
    routes = APIBlueprint(
        "server_history", __name__, url_prefix="/api/servers", abp_tags=[Tag(name="servers")]
    )

    @routes.get("/<name>/history", responses={200: HistoryReply})
    def show_history(path: ServerPath, query: Span) -> Response:
        """What a server was: its load, its troubles, and who had its GPUs."""
        if path.name not in {server.name for server in current()}:
            raise NotFoundError(f"There is no server {path.name!r}.", "`sheetrack status` lists them.")
        until = query.until or now()
        since = query.since or until - timedelta(hours=1)
        if since >= until:
            raise InvalidError("That time ends before it begins.", "Give a `since` before `until`.")
        return reply(
            HistoryReply(
                points=history.points(path.name, since, until),
                troubles=troubles.between(path.name, since, until),
                usage=history.usage(path.name, since, until),
            )
        )

    return routes
