"""The pictures of a run, drawn from its folder alone: no network, no torch, no GPU."""

import json
from collections.abc import Callable, Collection
from pathlib import Path

from matplotlib.figure import Figure

from models.figures import (
    confusion,
    feature_maps,
    filters_1,
    filters_2,
    learning_curve,
    mistakes,
    responses,
    responses_1,
)
from models.figures.facts import Facts
from models.figures.style import write, write_for_print
from models.run_folder import RunFolder, write_atomically

PICTURES: dict[str, Callable[[Facts], Figure | None]] = {
    "confusion": confusion.counts,
    "confusion_normalised": confusion.normalised,
    "mistakes": mistakes.draw,
    "learning_curve": learning_curve.draw,
    "filters_1": filters_1.draw,
    "filters_2": filters_2.draw,
    "responses_1": responses_1.draw,
    "responses": responses.draw,
    "feature_maps": feature_maps.draw,
}
"""Every picture of one run, in the order in which they are shown. None: its facts are not there."""


def draw_for_print(
    folder: RunFolder,
    into: Path,
    shape: str,
    *,
    width_mm: float | None,
    with_title: bool,
    names: Collection[str] = tuple(PICTURES),
) -> list[Path]:
    """Draws the named pictures for a paper, as files `RUN-NAME.SHAPE` in the folder `into`; returns the files.

    Raises:
        BrokenRunError: a file of the run cannot be read.
    """
    facts = Facts.read(folder)
    into.mkdir(parents=True, exist_ok=True)
    files = []
    for name, make in PICTURES.items():
        if name in names and (figure := make(facts)) is not None:
            file = into / f"{folder.id}-{name}.{shape}"
            write_for_print(figure, file, width_mm=width_mm, with_title=with_title)
            files.append(file)
    return files


def draw(folder: RunFolder, names: Collection[str] | None = None) -> list[Path]:
    """Draws the named pictures, or all, into the folder and returns the files that could be drawn.

    Leaves the first layer's filters as numbers too, for sheets that draw them by themselves.

    Raises:
        ValueError: there is no picture of that name.
        BrokenRunError: a file of the run cannot be read.
    """
    if unknown := set(names or ()) - PICTURES.keys():
        raise ValueError(
            f"no picture is called {', '.join(sorted(unknown))}: choose from {', '.join(PICTURES)}"
        )
    facts = Facts.read(folder)
    folder.figures.mkdir(exist_ok=True)
    if facts.analysis is not None:
        write_atomically(folder.filters_file, json.dumps(filters_1.numbers(facts.analysis)))
    files = []
    for name, make in PICTURES.items():
        if (names is None or name in names) and (figure := make(facts)) is not None:
            file = folder.figures / f"{name}.png"
            write(figure, file)
            files.append(file)
    return files
