"""A training in the foreground, and what else runs the models here."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from backend.cli.recipe_options import recipe_from, recipe_options
from backend.cli.show import as_json, say, show_json
from backend.errors import InvalidError, NotFoundError, UnavailableError
from backend.jobs import architectures, models_cli
from backend.jobs.data_sets import data_folder
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models.run_folder import RunFolder, is_run_id
from models.run_reader import BrokenRunError, read_recipe, read_result

_PATIENCE_SECONDS = 30


@click.command()
@recipe_options
@click.option(
    "--resume",
    metavar="RUN",
    help="Go on with a run that was stopped; with --epochs N, further with a finished one.",
)
@as_json
def train(*, resume: str | None, is_json: bool, **options: Any) -> None:
    """Trains ARCHITECTURE here, in the foreground. Ctrl-C leaves a checkpoint to go on from.

    The run's row appears in the workbook like that of a launched job.
    """
    epochs = options["epochs"]
    changed = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if resume and set(changed) - {"--epochs"}:
        raise click.UsageError(
            f"--resume goes on with the run's own recipe: leave out {', '.join(set(changed) - {'--epochs'})}."
        )
    sheetrack = Sheetrack()
    try:
        folder = _resumed_run(sheetrack, resume, epochs) if resume else _new_run(sheetrack, options)
        recipe = read_recipe(folder)
        say(f"Run {folder.id}: {recipe.title if recipe else 'no recipe'}", err=True)
        run_models("train", str(folder.path), "--progress")
        result = read_result(folder)
    except BrokenRunError as error:
        raise InvalidError(f"{error}.") from error
    sheetrack.results.collect()
    if result is None:
        raise UnavailableError(f"Run {folder.id} has no result.", "Look into its folder.")
    if is_json:
        show_json(result)
        return
    kind = "synthetic " if result.data.synthetic else ""
    say(f"{kind}test accuracy {result.test_accuracy:.2%} of {result.test_clips:,} clips".capitalize())
    if result.test_accuracy_full_length is not None:
        say(
            f"Full-length clips {result.test_accuracy_full_length:.2%} "
            f"of {result.test_clips_full_length:,} clips"
        )
    say(f"{result.parameters:,} parameters · {folder.path}")


def _new_run(sheetrack: Sheetrack, options: dict[str, Any]) -> RunFolder:
    recipe = architectures.check(recipe_from(options))
    data = str(data_folder(sheetrack.home, recipe.data, start=Path.cwd()))
    recipe = recipe.model_copy(update={"data": data})
    return RunFolder.create(sheetrack.home.runs, recipe, architectures.source_of(recipe, sheetrack.home.runs))


def _resumed_run(sheetrack: Sheetrack, run: str, epochs: int | None) -> RunFolder:
    """The run, if it was stopped; a new run that goes on from a finished one to so many `epochs`."""
    folder = run_folder(sheetrack.home, run)
    recipe, result = read_recipe(folder), read_result(folder)
    if recipe is None:
        raise InvalidError(f"Run {run} has no recipe to go on with.", "A program of your own starts anew.")
    if result is None:
        if epochs is not None and epochs != recipe.epochs:
            raise InvalidError(
                f"Run {run} is to have {recipe.epochs} epochs and is not finished.",
                f"Finish it first: sheetrack train --resume {run}",
            )
        with suppress(NotFoundError):
            if sheetrack.jobs.job(run).state.is_over:
                raise InvalidError(
                    f"Run {run} is a job's, which would be shown as ended while it trains.",
                    f"Queue it again, from its checkpoint: sheetrack resume {run}",
                )
        return folder
    if epochs is None or epochs <= result.epochs:
        raise InvalidError(
            f"Run {run} is finished, with {result.epochs} epoch{'s'[: result.epochs != 1]}.",
            f"To train it further: sheetrack train --resume {run} --epochs {2 * result.epochs}",
        )
    if not folder.checkpoint_file.exists():
        raise InvalidError(
            f"The checkpoint of run {run} is not on this machine.",
            "Run this command on the server that trained it.",
        )
    further = recipe.model_copy(update={"depth": result.recipe.depth, "epochs": epochs, "parent": run})
    source = folder.architecture_file.read_bytes() if recipe.architecture_hash else b""
    created = RunFolder.create(sheetrack.home.runs, further, source)
    say(f"Goes on from epoch {result.epochs} of run {run}, with a learning rate that begins anew", err=True)
    return created


def run_folder(home: Home, run: str) -> RunFolder:
    """The folder of a run on this machine. Raises: NotFoundError."""
    folder = RunFolder(home.runs / run)
    if not is_run_id(run) or not folder.path.is_dir():
        raise NotFoundError(f"There is no run {run!r} in {home.runs}.", "`ls` there lists the runs.")
    return folder


def run_models(*arguments: str) -> None:
    """Runs `python -m models` in the foreground; its own sentence explains a failure."""
    if code := models_cli.run(*arguments):
        raise click.exceptions.Exit(code)
