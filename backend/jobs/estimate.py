"""How long trainings will take, as far as earlier ones tell."""

from collections.abc import Iterable
from statistics import mean
from typing import NamedTuple

from backend.jobs.result import Result, trainings
from models.recipe import Recipe

_MOST_RUNS = 10


class Pace(NamedTuple):
    """Mean time of an epoch, and of how many runs."""

    seconds_an_epoch: float
    runs: int


def pace(results: Iterable[Result], recipe: Recipe) -> Pace | None:
    """The pace of the newest runs of the same architecture on data of the same name; None where there are none.

    `results` are the newest first.
    """
    data = recipe.data.rstrip("/").rpartition("/")[2]
    alike = [
        content.seconds / content.epochs
        for _, content in trainings(results)
        if content.recipe.architecture == recipe.architecture and content.data.name == data and content.epochs
    ][:_MOST_RUNS]
    return Pace(mean(alike), len(alike)) if alike else None
