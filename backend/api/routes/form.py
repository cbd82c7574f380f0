from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from backend.jobs.sweep import Grid
from backend.reply import reply
from models.recipe import Recipe


class FormReply(BaseModel):
    """The fields of the launch form by name, each as a JSON schema: its type, default and limits."""

    recipe: dict[str, dict[str, Any]]
    grid: dict[str, dict[str, Any]]


def routes() -> APIBlueprint:
    blueprint = APIBlueprint("form", __name__, url_prefix="/api", abp_tags=[Tag(name="choices")])

    @blueprint.get("/form", responses={200: FormReply})
    def show_form() -> Response:
        """The defaults and limits of a recipe, and of the grid of a sweep."""
        recipe, grid = (model.model_json_schema()["properties"] for model in (Recipe, Grid))
        return reply(FormReply(recipe=recipe, grid=grid))

    return blueprint
