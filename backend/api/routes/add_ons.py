from typing import Annotated

from flask import Response, g
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from backend.api.document import json_of
from backend.api.pairing import AddOn, Pairing
from backend.errors import RefusedError
from backend.reply import reply


class AddOnPath(BaseModel):
    client_id: Annotated[str, Field(max_length=200)]


class AddOnsReply(BaseModel):
    add_ons: list[AddOn]


def routes(pairing: Pairing) -> APIBlueprint:
    blueprint = APIBlueprint("add_ons", __name__, url_prefix="/api/add-ons", abp_tags=[Tag(name="add-ons")])

    @blueprint.post("/<client_id>/accept", responses={200: json_of(AddOnsReply)})
    def accept(path: AddOnPath) -> Response:
        """Lets an add-on in that asked for it; possible on the backend's own machine only."""
        if not g.is_local:
            raise RefusedError(
                "An add-on is let in on the backend's own machine only.",
                "Accept it in the terminal of `sheetrack up` or on its page.",
            )
        pairing.accept(path.client_id)
        return reply(AddOnsReply(add_ons=pairing.waiting()))

    return blueprint
