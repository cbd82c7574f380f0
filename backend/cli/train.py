"""Commands about single trainings and their data."""

import re
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from backend.cli.command_options import COMMAND_OPTIONS, command_from, command_options
from backend.cli.recipe_options import recipe_from, recipe_options, resource_options, resources_from
from backend.cli.show import as_json, say, show_json
from backend.errors import InvalidError, NotFoundError, UnavailableError
from backend.jobs import architectures, models_cli
from backend.jobs.data_sets import data_folder
from backend.jobs.job import Job, JobState
from backend.service.lock import is_served
from backend.service.wiring import Sheetrack
from backend.settings import Home, this_user
from models.command import Command
from models.recipe import Recipe
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


def data_on(sheetrack: Sheetrack, server: str, data: str) -> str:
    """The full path of `data` where jobs run on this machine alone; on another server it means a folder there."""
    if not _is_here(sheetrack, server):
        return data  # a path that starts here means nothing on the others
    return str(data_folder(sheetrack.home, data, start=Path.cwd()))


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


def _is_here(sheetrack: Sheetrack, server: str) -> bool:
    """Whether the servers that are meant are this machine alone. Raises: NotFoundError, InvalidError."""
    return all(sheetrack.servers[name].is_here for name in sheetrack.queue.requests.servers_for(server))


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


@click.command()
@click.option("--server", required=True, metavar="NAME", help="Where it runs: a name, `gpu1,gpu2`, or any.")
@resource_options
@command_options
@click.option("--seeds", type=click.IntRange(1, 20), help="So many trainings, with seeds from --seed up.")
@recipe_options
@as_json
def launch(
    *,
    server: str,
    gpus: int | None,
    gpu_memory: float | None,
    seeds: int | None,
    is_json: bool,
    **options: Any,
) -> None:
    """Queues a training of ARCHITECTURE, or a program of your own, on a server.

    The backend starts it when the server has room. A program is given with --command and gets no shell unless
    you ask for one. What it writes into the folder $SHEETRACK_RUN is shown: history.jsonl, result.json, figures.
    """
    sheetrack, resources = Sheetrack(), resources_from(gpus, gpu_memory)
    work = _work(sheetrack, server, options)
    if seeds is not None and not isinstance(work, Recipe):
        raise click.UsageError("A program of your own takes no seeds: it has --command.")
    wanted = (
        [work.model_copy(update={"seed": work.seed + n}) for n in range(seeds or 1)]
        if isinstance(work, Recipe)
        else [work]
    )
    jobs = [sheetrack.queue.launch(server, each, this_user(), resources=resources) for each in wanted]
    if is_json:
        show_json(jobs[0] if seeds is None else jobs)
        return
    for job in jobs:
        seed = f", seed {job.recipe.seed}" if job.recipe and seeds else ""
        say(f"{job.id} is queued on {job.runs_on}: {job.work.title}{seed}")


def _work(sheetrack: Sheetrack, server: str, options: dict[str, Any]) -> Recipe | Command:
    """What is to be launched. Raises: click.UsageError: the options do not fit together."""
    chosen = {name: options.pop(name) for name in COMMAND_OPTIONS}
    if chosen["command"] is not None:
        return command_from(chosen, options, is_here=_is_here(sheetrack, server))
    if any(chosen.values()):
        raise click.UsageError("--folder, --environment and --shell belong to --command.")
    recipe = recipe_from(options)
    return recipe.model_copy(update={"data": data_on(sheetrack, server, recipe.data)})


@click.command()
@click.argument("job")
@as_json
def cancel(*, job: str, is_json: bool) -> None:
    """Ends JOB and the whole tree of its processes."""
    sheetrack = Sheetrack()
    cancelled = sheetrack.queue.cancel(job, this_user())
    wait_until_ended(sheetrack, [cancelled.id])
    ended = sheetrack.jobs.job(cancelled.id)
    if is_json:
        show_json(ended)
    elif ended.state is JobState.CANCELLING:
        say(f"{ended.id} has not ended yet: {ended.reason}. The backend keeps trying.")
    else:
        say(f"{ended.id} is {ended.state}")


@click.command()
@click.argument("job")
@as_json
def first(*, job: str, is_json: bool) -> None:
    """Lets JOB overtake all jobs that wait. Who did that is recorded."""
    _show_decision(Sheetrack().queue.put_first(job, this_user()), is_json, "is first")


@click.command()
@click.argument("job")
@as_json
def override(*, job: str, is_json: bool) -> None:
    """Lets JOB run in spite of other people's reservations. Who did that is recorded."""
    decided = Sheetrack().queue.override_reservations(job, this_user())
    _show_decision(decided, is_json, "no longer waits for the end of reservations")


def _show_decision(job: Job, is_json: bool, what: str) -> None:
    if is_json:
        show_json(job)
    else:
        say(f"{job.id} {what}")


@click.command()
@click.argument("job")
@as_json
def resume(*, job: str, is_json: bool) -> None:
    """Queues JOB again, which failed, timed out or was cancelled; it goes on from its checkpoint."""
    resumed = Sheetrack().queue.resume(job, this_user())
    if is_json:
        show_json(resumed)
    else:
        say(f"{resumed.id} is {resumed.state}: {resumed.reason}")


def wait_until_ended(sheetrack: Sheetrack, jobs: Collection[str]) -> None:
    """Waits a while until none of the jobs is `cancelling`; ends them from here where no backend serves."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while any(sheetrack.jobs.job(job).state is JobState.CANCELLING for job in jobs):
        if time.monotonic() > until:
            return
        if not is_served(sheetrack.home):
            sheetrack.queue.end_cancelled()
        time.sleep(0.5)


def _millimetres(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """`84mm`, `8.4cm` or `84` as millimetres."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(mm|cm)?", text.strip())
    width = float(found[1]) * (10 if found[2] == "cm" else 1) if found else 0
    if not 20 <= width <= 1000:
        raise click.BadParameter(f"{text!r} is no width from 20mm to 1000mm.")
    return width


@click.command()
@click.argument("run")
@click.option("--clip", metavar="WORD/FILE.wav", help="Show this clip's way through the network.")
@click.option("--format", "shape", type=click.Choice(["png", "pdf", "svg"]), help="For print, into --to.")
@click.option("--no-title", is_flag=True, help="For print: without title and explanation.")
@click.option("--width", metavar="84mm", callback=_millimetres, help="For print: the width on paper.")
@click.option("--to", "into", metavar="DIR", type=click.Path(file_okay=False), help="For print. [default: .]")
def figures(
    *, run: str, clip: str | None, shape: str | None, no_title: bool, width: float | None, into: str | None
) -> None:
    """Draws the pictures of RUN again; with --format, --width or --no-title for print, beside you.

    Needs its folder alone, neither torch nor a GPU; with --clip its data and torch too.
    """
    sheetrack = Sheetrack()
    chosen = ["--clip", clip] if clip else []
    folder = str(run_folder(sheetrack.home, run).path)
    if shape or no_title or width or into:
        chosen += ["--to", into or ".", "--format", shape or "pdf", *(["--no-title"] if no_title else [])]
        run_models("figures", folder, *chosen, *(["--width-mm", str(width)] if width else []))
        return
    run_models("figures", folder, *chosen)
    sheetrack.display.show_results(changed={run})


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
