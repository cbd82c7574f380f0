"""The command that brings the files of a run from its server."""

import click

from backend.cli.show import say
from backend.cli.train import run_folder
from backend.errors import NotFoundError
from backend.jobs.engines.run_fetch import fetch_run
from backend.service.wiring import Sheetrack


@click.command()
@click.argument("run")
def fetch(*, run: str) -> None:
    """Brings what is still on the server of RUN, such as its checkpoint, into its folder here."""
    sheetrack = Sheetrack()
    folder = sheetrack.home.runs / run
    try:
        job = sheetrack.jobs.job(run)
    except NotFoundError:
        say(f"{run} is here: {run_folder(sheetrack.home, run).path}")
        return
    server = sheetrack.servers.get(job.server)
    if server is None or server.is_here:
        say(f"{run} ran here: {folder}" if server else f"{job.server or 'No server'} is not in servers.toml.")
        return
    brought = fetch_run(server, job, sheetrack.home.runs, lambda name: say(f"  {name}", err=True))
    say(f"{folder}: {len(brought)} file{'' if len(brought) == 1 else 's'} new")
