"""The queue moved on step by step, and what it then shows."""

import time
from collections.abc import Callable

import pytest

from backend.jobs.job import Job, JobState
from backend.service.wiring import Sheetrack
from tests.patience import PATIENCE_SECONDS


def advance_until(sheetrack: Sheetrack, seen: Callable[[], bool]) -> None:
    for step in range(PATIENCE_SECONDS * 10):
        if step % 100 == 99:
            sheetrack.status.refresh()
        sheetrack.queue.advance()
        if seen():
            return
        time.sleep(0.1)
    jobs = [*sheetrack.jobs.unfinished_jobs(), *sheetrack.jobs.finished_jobs(5)]
    pytest.fail(f"still not: {[(job.id, job.state, job.reason) for job in jobs]}")


def state(sheetrack: Sheetrack, job: Job) -> JobState:
    return sheetrack.jobs.job(job.id).state


def tab_column(sheetrack: Sheetrack, tab: str, title: str) -> list[object]:
    header, *rows = sheetrack.workbook.read(tab)
    return [row[header.index(title)] for row in rows]
