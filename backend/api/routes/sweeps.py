from typing import Annotated

from flask import Response, g
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from backend.api.document import json_of
from backend.jobs.job import Resources
from backend.jobs.sweep import Grid, SweepView
from backend.jobs.sweeps import StartedSweep, Sweeps
from backend.reply import reply
from models.recipe import Recipe


class SweepPath(BaseModel):
    sweep: Annotated[str, Field(description="A sweep, or an architecture for all of its sweeps")]


class SweepBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    server: Annotated[str, Field(min_length=1, max_length=1000, description="A name, `gpu1,gpu2`, or `any`")]
    resources: Annotated[Resources, Field(description="What each training needs")] = Resources()
    recipe: Annotated[
        Recipe, Field(description="The choices that all cells share, and the first of their seeds")
    ]
    grid: Grid


class SweepsReply(BaseModel):
    sweeps: list[SweepView]


def routes(sweeps: Sweeps) -> APIBlueprint:
    blueprint = APIBlueprint("sweeps", __name__, url_prefix="/api/sweeps", abp_tags=[Tag(name="sweeps")])

    @blueprint.get("", responses={200: json_of(SweepsReply)})
    def list_sweeps() -> Response:
        """Every sweep with its cells, the newest first."""
        return reply(SweepsReply(sweeps=sweeps.sweeps()))

    @blueprint.post("", responses={201: json_of(StartedSweep), 202: json_of(StartedSweep)})
    def start(body: SweepBody) -> Response:
        """Queues a grid of trainings, or the missing ones; a second request queues nothing twice.

        202: the data is read first. Until then the sweep has another id, no jobs, and says in `preparing` how
        far that is; where the data cannot be read, `fault` says why.
        """
        started = sweeps.request(body.server, body.recipe, body.grid, g.person, body.resources)
        return reply(started, 202 if started.preparing else 201)

    @blueprint.post("/<sweep>/pause", responses={200: json_of(SweepsReply)})
    def pause(path: SweepPath) -> Response:
        """Lets nothing more start; what runs continues."""
        return reply(SweepsReply(sweeps=sweeps.pause(path.sweep, g.person)))

    @blueprint.post("/<sweep>/resume", responses={200: json_of(SweepsReply)})
    def resume(path: SweepPath) -> Response:
        """Lets what waits start again."""
        return reply(SweepsReply(sweeps=sweeps.resume(path.sweep)))

    @blueprint.post("/<sweep>/cancel", responses={200: json_of(SweepsReply)})
    def cancel(path: SweepPath) -> Response:
        """Cancels all its jobs that wait or run."""
        return reply(SweepsReply(sweeps=sweeps.cancel(path.sweep, g.person)))

    return blueprint
