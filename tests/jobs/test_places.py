"""The places that people are told, and the order in which their jobs then start, over random schedules.

The jobs that run end in the order in which they started: more is not known beforehand.
"""

import random
from collections.abc import Sequence
from datetime import timedelta

import pytest

from backend.jobs.job import Job, JobState
from backend.jobs.turns import places
from backend.probe.snapshot import GpuReading
from tests import examples
from tests.jobs.gpu_servers import gpu, server
from tests.jobs.rounds import Rounds

SCHEDULES = 60
PEOPLE = ("kim", "lee", "park")


def ask(lab: Rounds, dice: random.Random, needs: Sequence[int | None]) -> None:
    """People ask for trainings of sweeps and for single ones, with one of so many GPUs; None: any that there is."""
    for _ in range(dice.randint(1, 4)):
        person, gpus = dice.choice(PEOPLE), dice.choice(needs)
        if dice.random() < 0.5:
            lab.add(person, gpus=gpus)
        else:
            for _ in range(dice.randint(1, 5)):
                lab.add(person, sweep=f"s{person}", gpus=gpus)


def begin(lab: Rounds) -> list[str]:
    return [job for job, _, _ in lab.started()]


def since(job: Job, running: Sequence[str]) -> Job:
    """The job with the moment at which it started, where it runs."""
    if job.id not in running:
        return job
    moment = examples.NOON + timedelta(seconds=running.index(job.id))
    return job.model_copy(update={"started_at": moment})


@pytest.mark.parametrize(
    ("gpus", "processors", "needs"),
    [
        ([], 1, [None]),
        ([], 2, [None, 0]),
        ([], 4, [None]),
        ([gpu(0)], 4, [None]),
        ([gpu(0), gpu(1)], 4, [None, 1]),
        ([gpu(0), gpu(1)], 4, [None, 1, 0]),
        ([gpu(number) for number in range(4)], 4, [None]),
    ],
    ids=[
        "1 processor",
        "2 processors",
        "4 processors",
        "1 GPU",
        "2 GPUs",
        "2 GPUs and 4 processors",
        "4 GPUs",
    ],
)
def test_jobs_start_in_the_order_of_their_places(
    gpus: list[GpuReading], processors: int, needs: list[int | None]
) -> None:
    for seed in range(SCHEDULES):
        dice = random.Random(seed)
        lab = Rounds(server("gpu1", gpus, cpu_count=processors))
        ask(lab, dice, needs)
        running = begin(lab)
        ask(lab, dice, needs)
        running += begin(lab)
        with_gpus = {job.id for job in lab.jobs if gpus and job.gpus != 0}
        told = places([since(job, running) for job in lab.jobs], (), lab.servers, lab.last_starts)
        started: list[str] = []
        while any(job.state is JobState.QUEUED for job in lab.jobs):
            ended = running.pop(0)
            lab.jobs = [job for job in lab.jobs if job.id != ended]
            new = begin(lab)
            started += new
            running += new
        for has_gpus in (True, False):  # which have a queue each
            order = [job for job in started if (job in with_gpus) == has_gpus]
            assert [told[job] for job in order] == [*range(1, len(order) + 1)], f"schedule {seed}"
