"""Command-line options made from the Recipe's own fields, so that the two cannot differ."""

from collections.abc import Callable, Collection
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic import ValidationError

from backend.jobs.job import Resources
from backend.settings import sentence
from models.presets import PRESETS, preset
from models.recipe import FILLED_IN, Recipe

Command = TypeVar("Command", bound=Callable[..., Any])
_GIVEN_APART = ("architecture", "data")


def recipe_options(command: Command, but: Collection[str] = ()) -> Command:
    """Adds ARCHITECTURE, --preset, --data and an option for every other field of a Recipe `but` some.

    None is required.
    """
    for name in reversed(Recipe.model_fields):
        if name not in (*_GIVEN_APART, *FILLED_IN, *but):
            command = _option(name)(command)
    command = click.option("--data", help=Recipe.model_fields["data"].description)(command)
    what = "; ".join(f"{name}: {text}" for name, text in PRESETS.items())
    command = click.option(
        "--preset", type=click.Choice(list(PRESETS)), help=f"A named recipe; other options change it. {what}."
    )(command)
    return click.argument("architecture", required=False)(command)


def resource_options(command: Command) -> Command:
    """Adds --gpus and --gpu-memory."""
    for flag, field, kind in (
        ("--gpu-memory", "gpu_memory_gib", click.FloatRange(0, 10_000, min_open=True)),
        ("--gpus", "gpus", click.IntRange(0, 64)),
    ):
        text = f"{Resources.model_fields[field].description}."
        unit = "GIB" if field.endswith("_gib") else "N"
        command = click.option(flag, type=kind, metavar=unit, help=text)(command)
    return command


def resources_from(gpus: int | None, gpu_memory_gib: float | None) -> Resources:
    """What a job needs. Raises: click.BadParameter: that makes no sense, such as a memory of NaN."""
    try:
        return Resources(gpus=gpus, gpu_memory_gib=gpu_memory_gib)
    except ValidationError as error:
        raise click.BadParameter(f"{sentence(error)}.", param_hint="'--gpus' / '--gpu-memory'") from None


def _option(name: str) -> Callable[[Command], Command]:
    field = Recipe.model_fields[name]
    flag = f"--{name.replace('_', '-')}"
    default = "" if field.default in (None, "") else f" [default: {field.default}]"
    text = f"{field.description or name.replace('_', ' ').capitalize()}.{default}"
    if field.annotation is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", default=None, help=text)
    return click.option(flag, type=_type(field.annotation), default=None, help=text)


def _type(annotation: Any) -> Any:
    if get_origin(annotation) is Literal:
        return click.Choice(get_args(annotation))
    if isinstance(annotation, UnionType):
        return next(kind for kind in get_args(annotation) if kind is not type(None))
    return annotation


def recipe_from(options: dict[str, Any]) -> Recipe:
    """The recipe that the options describe.

    Raises:
        click.UsageError: a value makes no sense, the architecture or data is missing, or the preset is of
            another architecture.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if named := given.pop("preset", None):
        try:
            given = preset(named, given.get("architecture")) | given
        except ValueError as error:
            raise click.UsageError(f"{error}.") from None
    if "architecture" not in given or "data" not in given:
        raise click.UsageError("Give the network and the data: ARCHITECTURE --data DIR.")
    try:
        return Recipe.model_validate(given)
    except ValidationError as error:
        raise click.UsageError(f"{sentence(error)}.") from None
