"""Data sets: prepared and described."""

import click

from backend.cli.show import as_json
from backend.cli.train import run_models


@click.group()
def data() -> None:
    """Prepares data sets and tells what is in a folder."""


@data.command(context_settings={"ignore_unknown_options": True})
@click.argument("kind", type=click.Choice(["speech-commands", "synthetic"]))
@click.argument("folder", metavar="DIR")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def prepare(*, kind: str, folder: str, options: tuple[str, ...]) -> None:
    """Fetches Speech Commands v0.02 (2.4 GB), or makes synthetic speech, in DIR."""
    run_models("data", "prepare", kind, folder, *options)


@data.command()
@click.argument("folder", metavar="DIR")
@as_json
def describe(*, folder: str, is_json: bool) -> None:
    """Tells the words, splits and oddities of the clips in DIR."""
    run_models("data", "describe", folder, *(["--json"] if is_json else []))
