"""The command that trains an architecture over a grid."""

import sys
from functools import partial
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console

from backend.cli.launch import data_on, wait_until_ended
from backend.cli.recipe_options import recipe_from, recipe_options, resource_options, resources_from
from backend.cli.show import as_json, say, show_json
from backend.cli.table_text import print_table, table_options
from backend.errors import NotFoundError
from backend.jobs import architectures
from backend.jobs.data_sets import data_sets
from backend.jobs.estimate import pace
from backend.jobs.job import JobState
from backend.jobs.sweep import GRID_FIELDS, Grid
from backend.service.wiring import Sheetrack
from backend.settings import sentence, this_user
from backend.tabs.choices import epochs_told
from backend.tabs.names import sweeps_tab
from backend.times import duration
from models.recipe import Recipe

_LATEST_RESULTS = 200
_MOST_UNASKED = 10
_BATCH_NORMS = {"both": (False, True), "on": (True,), "off": (False,)}


def _depths(_context: click.Context, _option: click.Parameter, text: str | None) -> list[int] | None:
    """`1-9`, `5,8` and `1-3,8` as numbers."""
    if text is None:
        return None
    try:
        ends = [[int(end) for end in part.split("-", 1)] for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither like 1-9 nor like 5,8.") from None
    if any(part[0] > part[-1] for part in ends):
        raise click.BadParameter(f"{text!r} has a range that begins above its end.")
    return [depth for part in ends for depth in range(part[0], min(part[-1], 100 + part[0]) + 1)]


def _rungs(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise click.BadParameter(f"{text!r} is not like 5,15,45.") from None


def _dropouts(_context: click.Context, _option: click.Parameter, text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r} is not like 0.25,0.75.") from None


@click.command()
@click.option("--server", metavar="NAME", help="Where to train: a name, `gpu1,gpu2`, or any.")
@resource_options
@click.option("--depth", "depths", metavar="1-9", callback=_depths, help="Or 5,8. [default: all there are]")
@click.option("--dropout", "dropouts", metavar="P,P", callback=_dropouts, help="[default: 0.25,0.75]")
@click.option("--batch-norm", "batch_norms", type=click.Choice(list(_BATCH_NORMS)), help="[default: both]")
@click.option("--seeds", type=int, default=1, show_default=True, help="Trainings a cell.")
@click.option(
    "--vary",
    multiple=True,
    metavar="FIELD=1e-4..1e-2",
    help="Another field of the recipe: a range to draw from, or values such as 32,64. Then depth, dropout and "
    "batch norm vary only where they are given.",
)
@click.option("--trials", type=int, metavar="N", help="How many trainings to draw of --vary, by --seed.")
@click.option(
    "--halving",
    metavar="5,15,45",
    callback=_rungs,
    help="Train all for 5 epochs, the best of them to 15, ...",
)
@click.option("--yes", is_flag=True, help="Do not ask before more than 10 trainings.")
@click.option("--pause", is_flag=True, help="Let nothing more start; what runs continues.")
@click.option("--resume", is_flag=True, help="Let what waits start again.")
@click.option("--cancel", is_flag=True, help="End all that waits or runs.")
@partial(recipe_options, but=GRID_FIELDS)
@table_options
@as_json
def sweep(
    *, server: str | None, pause: bool, resume: bool, cancel: bool, is_json: bool, **options: Any
) -> None:
    """Queues a training of ARCHITECTURE for every depth, dropout and batch norm, in a separate tab.

    How many trainings and hours that are is told first; more than 10 are queued after a question, or with --yes.
    What is measured already with the same recipe and data is not run again. Asked for again with more
    depths, dropouts or seeds the sweep grows. Without --server it shows how far the sweeps are.
    """
    steps = [name for name, asked in (("pause", pause), ("resume", resume), ("cancel", cancel)) if asked]
    if len(steps) > 1:
        raise click.UsageError(f"--{steps[0]} and --{steps[1]} contradict each other: give one of them.")
    step = next(iter(steps), None)
    sheetrack = Sheetrack()
    if step == "cancel":
        _cancel(sheetrack, options["architecture"], is_json=is_json)
    elif step:
        _mark(sheetrack, options["architecture"], step, is_json=is_json)
    elif server:
        _start(sheetrack, server, options, is_json=is_json)
    elif options["data"] or options["depths"] or options["vary"] or options["halving"]:
        raise click.UsageError("Say where: --server NAME.")
    else:
        _show(sheetrack, options["architecture"], options, is_json=is_json)


def _mark(sheetrack: Sheetrack, name: str | None, step: str, *, is_json: bool) -> None:
    if name is None:
        raise click.UsageError(f"Say which: sheetrack sweep ARCHITECTURE --{step}.")
    fine_tuning = sheetrack.sweeps
    views = fine_tuning.pause(name, this_user()) if step == "pause" else fine_tuning.resume(name)
    if is_json:
        show_json(views)
        return
    for view in views:
        jobs = sheetrack.jobs.jobs_of(view.id)
        waits = view.preparing or any(job.state is JobState.QUEUED for job in jobs)
        what = "is paused" if view.paused_by else "goes on" if waits else "has no job that waits"
        say(f"{view.id}: {view.recipe.architecture} on {view.server} {what}")


def _cancel(sheetrack: Sheetrack, name: str | None, *, is_json: bool) -> None:
    if name is None:
        raise click.UsageError("Say which: sheetrack sweep ARCHITECTURE --cancel.")
    views = sheetrack.sweeps.cancel(name, this_user())
    jobs = [job for view in views for job in sheetrack.jobs.jobs_of(view.id)]
    wait_until_ended(sheetrack, [job.id for job in jobs if job.state is JobState.CANCELLING])
    if is_json:
        show_json([view for view in sheetrack.sweeps.sweeps() if view.id in {each.id for each in views}])
        return
    for view in views:
        left = [job for job in sheetrack.jobs.jobs_of(view.id) if job.state is JobState.CANCELLING]
        rest = f", but {len(left)} {'has' if len(left) == 1 else 'have'} not ended yet" if left else ""
        click.echo(f"{view.id}: {view.recipe.architecture} on {view.server} is cancelled{rest}")


def _start(sheetrack: Sheetrack, server: str, options: dict[str, Any], *, is_json: bool) -> None:
    prepared = data_sets(sheetrack.home, sheetrack.jobs)
    if options["data"] is None and len(prepared) == 1:
        options["data"] = prepared[0].name
    fields = (*Recipe.model_fields, "preset")
    recipe = recipe_from({name: value for name, value in options.items() if name in fields})
    recipe = recipe.model_copy(update={"data": data_on(sheetrack, server, recipe.data)})
    grid = _grid(recipe, options)
    resources = resources_from(options["gpus"], options["gpu_memory"])
    _tell_and_ask(sheetrack, recipe, grid, is_sure=options["yes"])
    with Console(stderr=True).status("") as status:
        started = sheetrack.sweeps.start(
            server, recipe, grid, this_user(), status.update, resources=resources
        )
    if is_json:
        show_json(started)
        return
    measured = sum(1 for cell in started.cells if cell.runs)
    trainings = "1 training is" if len(started.queued) == 1 else f"{len(started.queued):,} trainings are"
    say(
        f"{started.id}: {trainings} queued on {server}; "
        f"{measured} of {len(started.cells)} cells are measured already"
    )
    if started.paused_by:
        say(f"It is paused; go on with: sheetrack sweep {started.id} --resume")


def _grid(recipe: Recipe, options: dict[str, Any]) -> Grid:
    """Raises: click.UsageError: a value makes no sense."""
    checked = architectures.check(recipe)
    vary: dict[str, str] = {}
    for each in options["vary"]:
        field, sign, values = each.partition("=")
        if not sign:
            raise click.UsageError(f"{each!r} is not like learning_rate=1e-4..1e-2.")
        if field in vary:
            raise click.UsageError(f"{field} is given twice.")
        vary[field.replace("-", "_")] = values
    known = architectures.depths_of(checked.architecture)
    has_norm = any(each.batch_norm for each in known)
    depths, dropouts, batch_norms = [each.depth for each in known], [0.25, 0.75], "both"
    if vary:
        depths, dropouts, batch_norms = [checked.depth or 1], [checked.dropout], "on"
    try:
        return Grid(
            depths=tuple(options["depths"] or depths),
            dropouts=tuple(options["dropouts"] or dropouts),
            batch_norms=_BATCH_NORMS[(options["batch_norms"] or batch_norms) if has_norm else "off"],
            seeds=options["seeds"],
            vary=vary,
            trials=options["trials"],
            halving=options["halving"],
        )
    except ValidationError as error:
        raise click.UsageError(f"{sentence(error)}.") from None


def _tell_and_ask(sheetrack: Sheetrack, recipe: Recipe, grid: Grid, *, is_sure: bool) -> None:
    """Tells how much a sweep is, and asks before much.

    Raises:
        click.UsageError: something that varies makes no sense, or nobody is there to answer.
        click.Abort: it is not wanted.
    """
    try:
        count, epochs = grid.planned(recipe)
    except ValueError as error:
        raise click.UsageError(
            f"{sentence(error) if isinstance(error, ValidationError) else error}."
        ) from None
    known = pace(sheetrack.jobs.results(_LATEST_RESULTS), recipe)
    hours = f"how long they take is not known: no run of {recipe.architecture} on this data is finished"
    if known:
        time = duration(known.seconds_an_epoch * epochs, exact=True)
        hours = f"about {time} one after the other, as the last {known.runs} of {recipe.architecture} took"
    trainings = f"{count:,} training{'s' if count != 1 else ''}"
    say(f"{trainings} with {epochs_told(epochs)} in all; {hours}", err=True)
    if count <= _MOST_UNASKED or is_sure:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"More than {_MOST_UNASKED} trainings: add --yes to queue them.")
    click.confirm("Queue them?", abort=True, err=True)


def _show(sheetrack: Sheetrack, architecture: str | None, options: dict[str, Any], *, is_json: bool) -> None:
    views = [
        view
        for view in sheetrack.sweeps.sweeps()
        if architecture in (None, view.id, view.recipe.architecture)
    ]
    if is_json:
        show_json(views)
        return
    if not views:
        raise NotFoundError(
            "There is no such sweep yet.", "Begin one: sheetrack sweep ch32 --server NAME --data DIR"
        )
    names = {sweeps_tab(view.recipe.architecture) for view in views}
    for table in sheetrack.display.fine_tuning():
        if table.name in names:
            print_table(table, options["shape"], sort=options["sort"], columns=options["columns"])
