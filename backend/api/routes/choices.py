from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from backend.api.document import json_of
from backend.jobs.architectures import architectures
from backend.jobs.data_sets import DataSet, data_sets
from backend.jobs.store import JobStore
from backend.reply import reply
from backend.settings import Home
from models.architecture_table import NetworkSize


class ArchitecturesReply(BaseModel):
    architectures: tuple[NetworkSize, ...]


class DataReply(BaseModel):
    data: list[DataSet]


def routes(home: Home, jobs: JobStore) -> APIBlueprint:
    blueprint = APIBlueprint("choices", __name__, url_prefix="/api", abp_tags=[Tag(name="choices")])

    @blueprint.get("/architectures", responses={200: json_of(ArchitecturesReply)})
    def list_architectures() -> Response:
        """Every network that can be trained."""
        return reply(ArchitecturesReply(architectures=architectures()))

    @blueprint.get("/data", responses={200: json_of(DataReply)})
    def list_data() -> Response:
        """The data sets that are prepared, or were used before."""
        return reply(DataReply(data=data_sets(home, jobs)))

    return blueprint
