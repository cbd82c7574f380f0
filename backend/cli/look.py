"""Commands that change nothing."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import click

from backend.cli.show import say, show_json, show_table
from backend.cli.table_text import Shape, print_table, table_options
from backend.jobs import architectures as networks
from backend.service.wiring import Sheetrack
from backend.sheets.table import Cell, Column, Section, Table, Text
from backend.tabs.leaderboard import leaderboard_table
from backend.tabs.results import results_table
from backend.tabs.servers import servers_table
from models.architecture_table import NetworkSize

as_json = click.option("--json", "is_json", is_flag=True, help="Data for programs, on stdout.")


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
    show_json(servers) if is_json else show_table(
        servers_table(servers, reservations=reservations is not None)
    )


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
        show_table(sheetrack.display.jobs(limit))


@click.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="How many of them.")
@table_options
@as_json
def results(*, limit: int, shape: Shape | None, sort: str | None, columns: str | None, is_json: bool) -> None:
    """Shows the finished runs, the newest first."""
    sheetrack = Sheetrack()
    sheetrack.results.collect()
    found = sheetrack.jobs.results(None if sort else limit)
    if is_json:
        show_json(found[:limit])
        return
    table = results_table(found, sheetrack.results.broken(), marks=sheetrack.marks.all())
    print_table(table, shape, sort=sort, columns=columns, limit=limit)
    if (count := len(sheetrack.jobs.result_ids())) > limit:
        say(f"{limit} of {count:,} runs; more with --limit", err=True)


@click.command()
@click.option("--limit", type=click.IntRange(min=1), help="How many of each list.")
@table_options
def leaderboard(*, limit: int | None, shape: Shape | None, sort: str | None, columns: str | None) -> None:
    """Shows published and measured accuracies, the best first; all seeds of a recipe as one row."""
    sheetrack = Sheetrack()
    sheetrack.results.collect()
    table = leaderboard_table(sheetrack.jobs.results(), sheetrack.marks.all())
    print_table(table, shape, sort=sort, columns=columns, limit=limit)


@click.command()
@click.option("--all", "shows_all", is_flag=True, help="Every depth, with batch norm and without.")
@as_json
def architectures(*, shows_all: bool, is_json: bool) -> None:
    """Lists the networks, with their parameters, at the depth that is trained where none is chosen."""
    known = networks.architectures()
    if is_json:
        show_json(known)
        return
    columns = (
        Column(title="Network"),
        Column(title="Depth"),
        Column(title="Batch norm"),
        Column(title="Parameters", format="integer"),
        Column(title="Published", format="integer"),
        Column(title="Mflop a clip", format="decimal"),
        Column(title="Error"),
    )
    has_errors = any(network.error for network in known)
    shown = known if shows_all else tuple(_typical(known))
    show_table(
        Table(
            name="Networks",
            rank=0,
            sections=(
                Section(
                    columns=columns if has_errors else columns[:-1],
                    rows=tuple(
                        _network_row(each, known, shows_all)[: 7 if has_errors else 6] for each in shown
                    ),
                    empty="",
                    note="" if shows_all else "Other depths: sheetrack architectures --all",
                ),
            ),
        )
    )


def _typical(known: Sequence[NetworkSize]) -> Iterator[NetworkSize]:
    """The network of each architecture at its default depth: the published one, if any."""
    for name in dict.fromkeys(network.architecture for network in known):
        ours = [network for network in known if network.architecture == name and network.default]
        yield next((network for network in ours if network.published_parameters), ours[-1])


def _network_row(network: NetworkSize, known: Sequence[NetworkSize], shows_all: bool) -> tuple[Cell, ...]:
    depths = sorted({each.depth for each in known if each.architecture == network.architecture})
    offered = f" of {depths[0]} to {depths[-1]}" if len(depths) > 1 and not shows_all else ""
    mflop = None if network.mflop_per_clip is None else round(network.mflop_per_clip, 1)
    return (
        network.architecture,
        f"{network.depth}{offered}",
        "yes" if network.batch_norm else "no",
        network.parameters,
        network.published_parameters,
        Text(text=f"{mflop:,}") if mflop is not None else None,
        Text(text=network.error, tone="bad") if network.error else None,
    )


@click.command()
@click.argument("names", metavar="[RUN] FILE", nargs=-1, required=True)
def export(*, names: tuple[str, ...]) -> None:
    """Writes all tabs into an .xlsx FILE, or the network of RUN into an .onnx FILE."""
    *runs, name = names
    file = Path(name)
    if file.is_dir():
        raise click.BadParameter(f"{name} is a directory.", param_hint="FILE")
    is_network = file.suffix == ".onnx"
    if len(runs) != is_network:
        usage = "sheetrack export RUN model.onnx" if is_network or runs else "sheetrack export lab.xlsx"
        raise click.UsageError(f"A network is one run's, and a workbook has all of them: {usage}")
    if is_network:
        from backend.cli.network import write_network  # noqa: PLC0415 - the other commands do not pay for it

        write_network(runs[0], file)
        return
    from backend.sheets.xlsx import write_workbook  # noqa: PLC0415 - the other commands do not pay for it

    sheetrack = Sheetrack()
    sheetrack.results.collect()
    sheetrack.display.show_jobs()
    tables = sheetrack.workbook.tables()
    write_workbook(file, tables, sheetrack.display.picture_file)
    say(f"{file}: {len(tables)} tabs", err=True)


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
