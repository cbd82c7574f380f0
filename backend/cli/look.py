"""Servers, jobs and what is wrong, as they are now."""

import time
from contextlib import suppress

import click

from backend.cli.show import as_json, say, show_json, show_table
from backend.service.wiring import Sheetrack

_BETWEEN_SECONDS = 5


@click.command()
@click.option("--watch", "is_watched", is_flag=True, help="Show it again every 5 s, until Ctrl-C.")
@as_json
def status(*, is_watched: bool, is_json: bool) -> None:
    """Shows every server as it is now, the best to take first."""
    if is_watched and is_json:
        raise click.UsageError("--watch shows a table: leave out --json.")
    sheetrack = Sheetrack()
    _show_status(sheetrack, is_json=is_json, is_first=True)
    with suppress(KeyboardInterrupt):
        while is_watched:
            _pause()
            _show_status(sheetrack, is_json=False, is_first=False)


def _pause() -> None:
    time.sleep(_BETWEEN_SECONDS)


def _show_status(sheetrack: Sheetrack, *, is_json: bool, is_first: bool) -> None:
    with sheetrack.status as current:
        servers = current.look()
    reservations = sheetrack.reservations
    if not is_first:
        click.clear()
    if reservations:
        reservations.look()
        servers = reservations.shown_on(servers)
        if reservations.error:
            click.echo(reservations.error, err=True)
        for unknown in reservations.not_set_up(sheetrack.servers):
            say(
                f"The tab reserves {unknown.name}, which no server is called. Correct the name there, or add to "
                f"servers.toml:\n{unknown.lines}",
                err=True,
            )
    if is_json:
        show_json(servers)
        return
    from backend.tabs.servers import servers_table  # noqa: PLC0415 - the other commands do not pay for it

    show_table(servers_table(servers, reservations=reservations is not None))


@click.command()
@click.option("--limit", default=20, show_default=True, help="How many finished jobs.")
@as_json
def jobs(*, limit: int, is_json: bool) -> None:
    """Shows which jobs run, which wait and why, and which have ended."""
    sheetrack = Sheetrack()
    store = sheetrack.jobs
    if is_json:
        show_json([*store.unfinished_jobs(), *store.finished_jobs(limit)])
    else:
        from backend.tabs.jobs_tab import jobs_tab  # noqa: PLC0415 - the other commands do not pay for it

        show_table(jobs_tab(store, sheetrack.standings.views(), sheetrack.takes_jobs(), limit))


@click.command()
@as_json
def doctor(*, is_json: bool) -> None:
    """Checks everything that is needed, and names what to do."""
    from backend.service.doctor import examine  # noqa: PLC0415 - the other commands do not pay for it

    findings = examine()
    if is_json:
        show_json(findings)
    else:
        for finding in findings:
            say(f"{'✓' if finding.ok else '✕'} {finding.what}: {finding.found}")
            if not finding.ok:
                say(f"  → {finding.advice}")
    if not all(finding.ok for finding in findings):
        raise click.exceptions.Exit(1)
