from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from backend.architectures import Architecture, architectures
from backend.data_sets import DataSet, data_sets
from backend.routes.reply import reply
from backend.settings import Home
from backend.store import Store


class ArchitecturesReply(BaseModel):
    architectures: tuple[Architecture, ...]


class DataReply(BaseModel):
    data: list[DataSet]


def choices(home: Home, store: Store) -> APIBlueprint:
    routes = APIBlueprint("choices", __name__, url_prefix="/api", abp_tags=[Tag(name="choices")])

    @routes.get("/architectures", responses={200: ArchitecturesReply})
    def list_architectures() -> Response:
        """Every network that can be trained."""
        return reply(ArchitecturesReply(architectures=architectures()))

    @routes.get("/data", responses={200: DataReply})
    def list_data() -> Response:
        """The data sets that are prepared, or were used before."""
        return reply(DataReply(data=data_sets(home, store)))

    return routes
