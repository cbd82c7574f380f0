"""Successive halving: all trainings of a sweep begin with few epochs, and only the best of them go on.

Synchronous: a rung begins when the one before it is over. With rungs of 5, 15 and 45 epochs the best third goes
on each time, by validation accuracy. Each goes on from its last epoch, so that no epoch is trained twice.
K. Jamieson and A. Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization, 2016.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from backend.jobs.job import JobState
from backend.jobs.trial import Trial
from models.recipe import Recipe


def climbed(first: Sequence[Trial], rungs: Sequence[int], trial: Callable[[Recipe], Trial]) -> list[Trial]:
    """The trials of every rung that has begun, the `first` one's first.

    `trial` finds the run and the job of a recipe.
    """
    found, rung = list(first), list(first)
    for epochs, more in pairwise(rungs):
        if not all(map(_is_over, rung)):
            break
        # The order of the sweep decides between equals.
        ranked = sorted((each for each in rung if each.measured), key=_validation, reverse=True)
        rung = [
            trial(each.recipe.model_copy(update={"epochs": more, "parent": each.measured.run}))
            for each in ranked[: kept(len(rung), epochs, more)]
            if each.measured
        ]
        found += rung
    return found


def kept(count: int, epochs: int, more: int) -> int:
    """How many of `count` go on: so many that the next rung trains about as many epochs in all."""
    return max(1, count * epochs // more)


def planned(count: int, rungs: Sequence[int]) -> tuple[int, int]:
    """How many trainings there will be, and how many epochs in all, if none fails."""
    trainings, epochs = count, count * rungs[0]
    for before, more in pairwise(rungs):
        count = kept(count, before, more)
        trainings += count
        epochs += count * (more - before)
    return trainings, epochs


def _is_over(trial: Trial) -> bool:
    """Whether it has a result, or will never have one. One that was cancelled holds up the next rung."""
    return trial.measured is not None or (
        trial.job is not None and trial.job.state in (JobState.FAILED, JobState.TIMED_OUT)
    )


def _validation(trial: Trial) -> float:
    return (trial.measured.validation_accuracy if trial.measured else None) or 0.0
