"""The command that puts a result from anywhere among the others."""

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import click

from backend.cli.show import as_json, say, show_json
from backend.errors import InvalidError, SheetrackError
from backend.jobs import models_cli
from backend.service.wiring import Sheetrack
from backend.times import iso, now
from models.command import RUN_VARIABLE
from models.program_history import LARGEST
from models.program_reader import draft_result
from models.result import ProgramResult
from models.run_folder import RunFolder, write_atomically

_MOST_BYTES = 16 << 20
_PNG = b"\x89PNG\r\n\x1a\n"


def _metric(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """`accuracy=0.93` as a name and a number; what is no number stays text."""
    metrics: dict[str, Any] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name.strip():
            raise click.BadParameter(f"{text!r} is not like accuracy=0.93.")
        if name.strip() in metrics:
            raise click.BadParameter(f"{name.strip()!r} is given twice.")
        try:
            number = float(value) if not value.strip().lstrip("+-").isdigit() else int(value)
        except ValueError:
            metrics[name.strip()] = value
            continue
        if not abs(number) < LARGEST:
            raise click.BadParameter(f"{text!r} is no finite number below {LARGEST:g}.")
        metrics[name.strip()] = number
    return metrics


@click.command()
@click.option("--name", help="What it is called in the sheet.")
@click.option(
    "--metric", "metrics", metavar="NAME=VALUE", multiple=True, callback=_metric, help="Repeatable."
)
@click.option(
    "--confusion-matrix",
    "matrix",
    metavar="FILE.csv",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A row for each label, a column for each prediction; both are named.",
)
@click.option(
    "--figure",
    "figures",
    metavar="FILE.png",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A picture for its tab. Repeatable.",
)
@as_json
def record(
    *,
    name: str | None,
    metrics: dict[str, Any],
    matrix: Path | None,
    figures: tuple[Path, ...],
    is_json: bool,
) -> None:
    """Puts a result into the sheet: metrics, a confusion matrix, pictures.

    In a job, where SHEETRACK_RUN is set, it is the result of that job.
    """
    content: dict[str, Any] = {"metrics": metrics}
    if matrix:
        content["words"], content["confusion_matrix"] = _matrix(matrix)
    if not metrics and not matrix:
        raise click.UsageError("Give a --metric or a --confusion-matrix.")
    if run := os.environ.get(RUN_VARIABLE):
        _write(RunFolder(Path(run)), content, figures)
        return
    if not name:
        raise click.UsageError("Name it: --name NAME.")
    _record(Sheetrack(), content | {"name": name, "finished_at": iso(now())}, figures, is_json=is_json)


def _record(
    sheetrack: Sheetrack, content: dict[str, Any], figures: tuple[Path, ...], *, is_json: bool
) -> None:
    folder = RunFolder.create(sheetrack.home.runs, None)
    try:
        result = _write(folder, content, figures)
    except InvalidError:
        shutil.rmtree(folder.path)
        raise
    if result.confusion_matrix:
        _draw(folder)
    sheetrack.results.collect()
    if is_json:
        show_json(result)
        return
    say(f"{folder.id}: {result.title} is recorded")
    for notice in result.notices:
        say(f"note: {notice}", err=True)


def _draw(folder: RunFolder) -> None:
    """Draws the matrix; a picture must never cost a result."""
    try:
        models_cli.ask("figures", str(folder.path))
    except SheetrackError as error:
        say(f"note: the pictures could not be drawn: {error}", err=True)


def _write(folder: RunFolder, content: dict[str, Any], figures: tuple[Path, ...]) -> ProgramResult:
    """Raises: InvalidError: a figure is no picture."""
    folder.figures.mkdir(exist_ok=True)
    for figure in figures:
        picture = figure.read_bytes()
        if not picture.startswith(_PNG) or len(picture) > _MOST_BYTES:
            raise InvalidError(f"{figure} is no PNG file of at most {_MOST_BYTES >> 20} MiB.", "Convert it.")
        stem = "".join(c if c.isascii() and c.isalnum() else "_" for c in figure.stem)[:60]
        write_atomically(folder.figures / f"{stem}.png", picture)
    write_atomically(folder.result_file, json.dumps(content))
    return draft_result(folder)


def _matrix(file: Path) -> tuple[list[str], list[list[int]]]:
    """The words and the counts.

    Raises:
        InvalidError: it is no square of named counts.
    """
    try:
        rows = [row for row in csv.reader(file.read_text(encoding="utf-8-sig").splitlines()) if any(row)]
        (_, *words), *counted = rows
        labels = [row[0].strip() for row in counted]
        counts = [[int(count) for count in row[1:]] for row in counted]
    except (ValueError, IndexError) as error:
        raise InvalidError(f"{file} cannot be read as a confusion matrix: {error}.", _FORM) from None
    words = [word.strip() for word in words]
    if labels != words or any(len(row) != len(words) for row in counts) or not words:
        raise InvalidError(f"The rows and columns of {file} have different names or lengths.", _FORM)
    return words, counts


_FORM = "Its first row names the predictions, the first cell of each other row names the label."
