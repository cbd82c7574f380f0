"""The command that compares trainings."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import click

from backend.cli.show import as_json, show_json, show_table
from backend.errors import InvalidError, NotFoundError
from backend.jobs.models_cli import ask
from backend.service.wiring import Sheetrack
from backend.settings import Home
from backend.sheets.table import Picture
from backend.tabs.comparison import comparison_table, pairwise_table
from backend.times import now
from models.compare import PUBLISHED, CompareError, compare_all
from models.compare import compare as compare_sides
from models.run_folder import RunFolder, is_run_id
from models.run_reader import BrokenRunError


@click.command()
@click.argument("runs", metavar="RUN RUN...", nargs=-1, required=True)
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this PNG too.")
@as_json
def compare(*, runs: tuple[str, ...], picture: Path | None, is_json: bool) -> None:
    """Compares RUNs: two by their confusion matrices, several by a test of every two of them.

    Two: the pairs of words that changed most, and whether it is chance; the tab `Compare A B` shows the same.
    A published matrix can be one: published:base or published:ch32.
    """
    if len(set(runs)) < 2 or len(set(runs)) < len(runs):
        raise click.UsageError("Give two different runs or more.")
    sheetrack = Sheetrack()
    sides = [_side(sheetrack.home, name) for name in runs]
    if len(sides) > 2:
        if picture:
            raise click.UsageError("--picture draws two runs.")
        _compare_all(sides, is_json=is_json)
        return
    a, b = runs
    try:
        comparison = compare_sides(*sides)
    except (CompareError, BrokenRunError) as error:
        raise InvalidError(f"{error}.") from error
    shown = Picture(comparison=(a, b), alt=f"Comparison of {a} with {b}")
    file = sheetrack.display.picture_file(shown)
    file.parent.mkdir(parents=True, exist_ok=True)
    ask("compare", *sides, "--picture", str(file))
    if picture:
        shutil.copyfile(file, picture)
    table = comparison_table(comparison, now(), shown)
    sheetrack.display.show_comparison(table)
    show_json(comparison) if is_json else show_table(table)


def _compare_all(sides: Sequence[str], *, is_json: bool) -> None:
    try:
        pairwise = compare_all(sides)
    except (CompareError, BrokenRunError) as error:
        raise InvalidError(f"{error}.") from error
    show_json(pairwise) if is_json else show_table(pairwise_table(pairwise))


def _side(home: Home, name: str) -> str:
    """What the models call it: a published name, or the path of the run's folder."""
    if name in PUBLISHED:
        return name
    folder = RunFolder(home.runs / name)
    if not is_run_id(name) or not folder.path.is_dir():
        raise NotFoundError(
            f"There is no run {name!r}.", f"`sheetrack results` lists them; or take {' or '.join(PUBLISHED)}."
        )
    return str(folder.path)
