"""Jobs after a round of placement."""

from collections.abc import Iterable

from backend.jobs.job import Job, JobState
from backend.jobs.placement import Start


def running(jobs: Iterable[Job], starts: Iterable[Start]) -> list[Job]:
    """`jobs`, with those of `starts` running where they were placed."""
    placed = {
        start.job.id: {"server": start.server, "assigned": start.gpus, "limits": start.limits}
        for start in starts
    }
    return [
        job.model_copy(update={"state": JobState.RUNNING, **placed[job.id]}) if job.id in placed else job
        for job in jobs
    ]
