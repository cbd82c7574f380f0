"""Finished runs as tables."""

import click

from backend.cli.show import as_json, say, show_json
from backend.cli.table_text import Shape, print_table, table_options
from backend.service.wiring import Sheetrack
from backend.tabs.results import results_table


@click.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="How many of them.")
@table_options
@as_json
def results(*, limit: int, shape: Shape | None, sort: str | None, columns: str | None, is_json: bool) -> None:
    """Shows the finished runs, the newest first."""
    sheetrack = Sheetrack()
    found = sheetrack.results.newest(None if sort else limit)
    if is_json:
        show_json(found[:limit])
        return
    table = results_table(found, sheetrack.results.broken(), marks=sheetrack.sheet_notes.marks())
    print_table(table, shape, sort=sort, columns=columns, limit=limit)
    if (count := sheetrack.jobs.count_results()) > limit:
        say(f"{limit} of {count:,} runs; more with --limit", err=True)


@click.command()
@click.option("--limit", type=click.IntRange(min=1), help="How many of each list.")
@table_options
@as_json
def leaderboard(
    *, limit: int | None, shape: Shape | None, sort: str | None, columns: str | None, is_json: bool
) -> None:
    """Shows published and measured accuracies, the best first; all seeds of a recipe as one row."""
    sheetrack = Sheetrack()
    from backend.tabs.leaderboard import leaderboard_table  # noqa: PLC0415 - `results` does not pay for it

    table = leaderboard_table(sheetrack.results.newest(), sheetrack.marks.all())
    print_table(table, "json" if is_json else shape, sort=sort, columns=columns, limit=limit)
