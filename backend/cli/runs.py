"""The commands that keep runs in order."""

import click

from backend.cli.show import as_json, say, show_json
from backend.errors import NotFoundError
from backend.jobs.marks import LONGEST_NAME, LONGEST_NOTE, Mark, MarkChange
from backend.service.wiring import Sheetrack
from models.run_folder import is_run_id

_off = click.option("--off", is_flag=True, help="Take it back.")


@click.group()
def runs() -> None:
    """Stars, names, notes; the archive and the bin."""


def _mark(run: str, change: MarkChange) -> Mark:
    """Raises: NotFoundError: there is no such run."""
    sheetrack = Sheetrack()
    folder = sheetrack.home.runs / run
    if not is_run_id(run) or not (folder.is_dir() or sheetrack.jobs.result(run)):
        raise NotFoundError(f"There is no run {run!r}.", "`sheetrack results` lists them.")
    return sheetrack.marks.change(run, change)


@runs.command()
@click.argument("run")
@_off
def star(*, run: str, off: bool) -> None:
    """Keeps a tab for RUN, however old it is."""
    _mark(run, MarkChange(is_starred=not off))
    say(f"{run} has {'no star' if off else 'a star'}")


@runs.command()
@click.argument("run")
@_off
def archive(*, run: str, off: bool) -> None:
    """Moves RUN from all lists into the tab Archive."""
    _mark(run, MarkChange(is_archived=not off))
    say(f"{run} is {'in the lists again' if off else 'in the archive'}")


@runs.command()
@click.argument("run")
@click.argument("name")
def rename(*, run: str, name: str) -> None:
    """Calls RUN by a NAME; an empty one takes it away."""
    if len(name) > LONGEST_NAME:
        raise click.UsageError(f"A name has at most {LONGEST_NAME} characters.")
    _mark(run, MarkChange(name=name))
    say(f"{run} is called {name}" if name else f"{run} has no name of yours")


@runs.command()
@click.argument("run")
@click.argument("text")
def note(*, run: str, text: str) -> None:
    """Notes TEXT about RUN; an empty one takes it away."""
    if len(text) > LONGEST_NOTE:
        raise click.UsageError(f"A note has at most {LONGEST_NOTE:,} characters.")
    _mark(run, MarkChange(note=text))
    say(f"{run}: {text or 'no note'}")


@runs.command()
@click.argument("names", metavar="RUN...", nargs=-1, required=True)
def delete(*, names: tuple[str, ...]) -> None:
    """Moves runs into the bin."""
    sheetrack = Sheetrack()
    for run in names:
        sheetrack.run_bin.delete(run)
        say(f"{run} is in the bin; take it back with: sheetrack runs restore {run}")


@runs.command()
@click.argument("names", metavar="RUN...", nargs=-1, required=True)
def restore(*, names: tuple[str, ...]) -> None:
    """Takes runs out of the bin."""
    sheetrack = Sheetrack()
    for run in names:
        sheetrack.run_bin.restore(run)
        say(f"{run} is back")


@runs.command("bin")
@click.option("--empty", is_flag=True, help="Remove them for good.")
@as_json
def show_bin(*, empty: bool, is_json: bool) -> None:
    """Lists what is in the bin."""
    run_bin = Sheetrack().run_bin
    deleted = run_bin.runs()
    if empty:
        if deleted and not is_json:
            click.confirm(f"Remove {len(deleted)} run{'s' * (len(deleted) > 1)} for good?", abort=True)
        run_bin.empty()
        deleted = []
    if is_json:
        show_json(deleted)
    elif not deleted:
        say("The bin is empty.")
    for one in [] if is_json else deleted:
        say(f"{one.run}  {one.deleted_at.astimezone():%d %b %H:%M}  {one.title}")
