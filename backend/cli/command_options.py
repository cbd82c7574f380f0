"""The options that launch a program of the lab's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from backend.settings import sentence
from models.command import Command

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

COMMAND_OPTIONS = ("command", "folder", "environment", "shell")


def command_options(command: Decorated) -> Decorated:
    """Adds --command, --folder, --environment and --shell."""
    for option in (
        click.option("--shell", is_flag=True, help="Let /bin/sh run --command: pipes, variables."),
        click.option(
            "--environment", metavar="NAME", help="A Python or conda environment that servers.toml names."
        ),
        click.option("--folder", metavar="DIR", help="Where --command runs. [default: here]"),
        click.option(
            "--command", metavar="'PROGRAM ARG ...'", help="A program of your own, to run as a job."
        ),
    ):
        command = option(command)
    return command


def command_from(chosen: dict[str, Any], recipe: dict[str, Any], *, is_here: bool) -> Command:
    """The command that the options describe.

    Args:
        chosen: by the names in `COMMAND_OPTIONS`.
        recipe: the options of a training; only `name` may be given.
        is_here: whether it runs on this machine, where a relative folder begins at the working directory.

    Raises:
        click.UsageError: a value makes no sense, or belongs to a training.
    """
    if others := [name for name, value in recipe.items() if value is not None and name != "name"]:
        raise click.UsageError(
            f"A program of your own takes no {others[0].replace('_', ' ')}: it has --command."
        )
    folder = chosen["folder"]
    if folder is None and not is_here:
        raise click.UsageError("Say where the program runs on that server: --folder DIR.")
    if is_here:
        folder = str(Path(folder or ".").expanduser().absolute())
    values = {**chosen, "folder": folder, "name": recipe.get("name")}
    try:
        return Command.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        raise click.UsageError(f"{sentence(error)}.") from None
