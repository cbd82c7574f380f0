import re
from typing import Annotated

from flask import Response, g
from flask_openapi3 import APIBlueprint, Tag
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from backend.api.document import json_of
from backend.api.kept_answer import KeptAnswer
from backend.errors import NotFoundError
from backend.servers.known_gpus import KnownGpus
from backend.servers.maintenance import Maintenances
from backend.servers.reservations import NotSetUp
from backend.servers.state import ServerStatus
from backend.tabs.refresh import Refresh
from backend.times import now

_NOT_CHANGED = {"description": "The client has this answer, as its If-None-Match says."}
_SHARED_SECONDS = 2.0
_KEPT_SECONDS = 15.0
"""How long an answer is given again where no round of readings ends: then servers become stale in it."""


class ServerPath(BaseModel):
    name: str


def _written(value: object) -> object:
    """Refuses a number, which pydantic would take for seconds since 1970."""
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d[Tt ]", value):
        raise ValueError("a moment is written like 2026-11-22T14:02:00Z")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written)]


class ServersReply(BaseModel):
    updated_at: AwareDatetime
    servers: list[ServerStatus]
    not_set_up: Annotated[
        list[NotSetUp], Field(description="Servers that the lab's tab names and servers.toml does not")
    ]
    sheet_errors: Annotated[list[str], Field(description="What keeps the sheet from showing all of it")]


class MaintenanceBody(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: Annotated[str, Field(min_length=1, max_length=200)]
    until: Annotated[Moment | None, Field(description="By default until a person ends it")] = None


def routes(refresh: Refresh, maintenances: Maintenances, known_gpus: KnownGpus) -> APIBlueprint:
    blueprint = APIBlueprint("servers", __name__, url_prefix="/api", abp_tags=[Tag(name="servers")])

    def made() -> ServersReply:
        return ServersReply(
            updated_at=now(),
            servers=list(refresh.servers()),
            not_set_up=refresh.not_set_up(),
            sheet_errors=refresh.sheet_errors(),
        )

    kept = KeptAnswer(made, _KEPT_SECONDS)

    def shown() -> Response:
        # A round of readings that is in progress shows when it has ended.
        stamp = refresh.stamp()
        return kept.response(None if stamp is None else (stamp, maintenances.known(), known_gpus.changes))

    @blueprint.get("/servers", responses={200: json_of(ServersReply), 304: _NOT_CHANGED})
    def list_servers() -> Response:
        """Every server as it is now, the best one first."""
        return shown()

    @blueprint.post("/refresh", responses={200: json_of(ServersReply)})
    def refresh_now() -> Response:
        """Reads all servers now; requests at the same time share one round."""
        refresh(_SHARED_SECONDS)
        return shown()

    @blueprint.post("/servers/<name>/maintenance", responses={200: json_of(ServersReply)})
    def begin_maintenance(path: ServerPath, body: MaintenanceBody) -> Response:
        """Takes the server out of use: no job starts there, and its incidents are not reported."""
        maintenances.begin(path.name, body.reason, g.person, body.until)
        return shown()

    @blueprint.delete("/servers/<name>/maintenance", responses={200: json_of(ServersReply)})
    def end_maintenance(path: ServerPath) -> Response:
        """Puts the server back into use."""
        maintenances.end(path.name)
        return shown()

    @blueprint.post("/servers/<name>/confirm-gpus", responses={200: json_of(ServersReply)})
    def confirm_gpus(path: ServerPath) -> Response:
        """Confirms that the GPUs of the server that are missing are gone, so that they are no fault any more."""
        server = next((server for server in refresh.servers() if server.name == path.name), None)
        if server is None:
            raise NotFoundError(f"There is no server {path.name!r}.", "`sheetrack status` lists them.")
        known_gpus.forget(server.name, server.missing_gpus)
        return shown()

    return blueprint
