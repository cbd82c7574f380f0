"""Commands that change nothing."""

from pathlib import Path

import click

from backend.cli.show import say, show_json, show_table
from backend.jobs import architectures as networks
from backend.service.wiring import Sheetrack
from backend.tabs.jobs import jobs_table
from backend.tabs.results import results_table
from backend.tabs.servers import servers_table

as_json = click.option("--json", "is_json", is_flag=True, help="Data for programs, on stdout.")


@click.command()
@as_json
def status(*, is_json: bool) -> None:
    """Shows every server as it is now, the best to take first."""
    sheetrack = Sheetrack()
    with sheetrack.status as current:
        servers = current.look()
    reservations = sheetrack.reservations
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
    store = Sheetrack().jobs
    unfinished, finished = store.unfinished_jobs(), store.finished_jobs(limit)
    show_json([*unfinished, *finished]) if is_json else show_table(jobs_table(unfinished, finished))


@click.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="How many of them.")
@as_json
def results(*, limit: int, is_json: bool) -> None:
    """Shows the finished runs, the newest first."""
    sheetrack = Sheetrack()
    sheetrack.results.collect()
    found = sheetrack.jobs.results(limit)
    if is_json:
        show_json(found)
        return
    show_table(results_table(found, sheetrack.results.broken()))
    if (count := len(sheetrack.jobs.result_ids())) > len(found):
        say(f"{len(found)} of {count:,} runs; more with --limit", err=True)


@click.command()
@as_json
def architectures(*, is_json: bool) -> None:
    """Lists the networks, with their parameters."""
    known = networks.architectures()
    if is_json:
        show_json(known)
        return
    for network in known:
        published = network.published_parameters
        note = "" if published is None else f"   published: {published:,}"
        norm = "+BN" if network.batch_norm else "   "
        size = f"   {network.error or 'size not known'}"
        if network.parameters is not None and network.mflop_per_clip is not None:
            size = f"{network.parameters:>12,} parameters{network.mflop_per_clip:>9.1f} Mflop a clip{note}"
        say(f"{network.architecture:<8}{network.depth:>3} {norm}{size}")


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
