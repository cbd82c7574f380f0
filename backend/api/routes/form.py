from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from backend.api.document import json_of
from backend.jobs.job import Resources
from backend.jobs.sweep import Grid
from backend.reply import reply
from backend.servers.server import Server
from models import published
from models.command import Command
from models.presets import PRESETS, preset
from models.recipe import FILLED_IN, Recipe


class Preset(BaseModel):
    """A named recipe for one architecture."""

    name: str
    description: str
    recipe: dict[str, Any]
    """The fields that it gives; all others have their defaults."""


class FormReply(BaseModel):
    """The fields of the launch form by name, each as a JSON schema: its type, default and limits."""

    recipe: dict[str, dict[str, Any]]
    grid: dict[str, dict[str, Any]]
    command: dict[str, dict[str, Any]]
    resources: dict[str, dict[str, Any]]
    presets: list[Preset]
    """Those of a name follow each other; the first is meant where the architecture is not chosen."""
    environments: dict[str, list[str]]
    """The names of the Python and conda environments of each server that has some."""


def routes(servers: Mapping[str, Server]) -> APIBlueprint:
    blueprint = APIBlueprint("form", __name__, url_prefix="/api", abp_tags=[Tag(name="choices")])

    @blueprint.get("/form", responses={200: json_of(FormReply)})
    def show_form() -> Response:
        """The defaults and limits of a recipe, of the grid of a sweep, and of a program of the lab's own."""
        recipe, grid, command, resources = (
            model.model_json_schema()["properties"] for model in (Recipe, Grid, Command, Resources)
        )
        recipe = {name: field for name, field in recipe.items() if name not in FILLED_IN}
        environments = {name: sorted(known.environments) for name, known in servers.items()}
        return reply(
            FormReply(
                recipe=recipe,
                grid=grid,
                command=command,
                resources=resources,
                presets=_presets(),
                environments={name: names for name, names in environments.items() if names},
            )
        )

    return blueprint


def _presets() -> list[Preset]:
    return [
        Preset(name=name, description=description, recipe=recipe)
        for name, description in PRESETS.items()
        for recipe in _recipes(name)
    ]


def _recipes(name: str) -> list[dict[str, Any]]:
    """The preset, and where it holds for other published architectures too, theirs."""
    found = [preset(name)]
    for architecture in dict.fromkeys(row.architecture for row in published.results()):
        with suppress(ValueError):
            if (recipe := preset(name, architecture)) not in found:
                found.append(recipe)
    return found
