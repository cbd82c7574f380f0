"""Jobs: launched, ended, put first and resumed."""

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from backend.cli.command_options import COMMAND_OPTIONS, command_from, command_options
from backend.cli.recipe_options import recipe_from, recipe_options, resource_options, resources_from
from backend.cli.show import as_json, say, show_json
from backend.jobs.data_sets import data_folder
from backend.jobs.job import Job, JobState
from backend.service.lock import is_served
from backend.service.wiring import Sheetrack
from backend.settings import this_user
from models.command import Command
from models.recipe import Recipe

_PATIENCE_SECONDS = 30


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


def data_on(sheetrack: Sheetrack, server: str, data: str) -> str:
    """The full path of `data` where jobs run on this machine alone; on another server it means a folder there."""
    if not _is_here(sheetrack, server):
        return data  # a path that starts here means nothing on the others
    return str(data_folder(sheetrack.home, data, start=Path.cwd()))


def _is_here(sheetrack: Sheetrack, server: str) -> bool:
    """Whether the servers that are meant are this machine alone. Raises: NotFoundError, InvalidError."""
    return all(sheetrack.servers[name].is_here for name in sheetrack.queue.requests.servers_for(server))


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
