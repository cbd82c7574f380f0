"""Whose job is next: on each server that of the person with the fewest running, then the oldest. Pure.

Of people with equally many running, the one whose last job there started earlier is first: where one job runs at a
time, none is running when the next one starts.
"""

import heapq
import math
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from backend.jobs.job import ANY, Job, JobState

LastStarts: TypeAlias = Mapping[tuple[str, str], float]
"""When the last job of a person started on a server, in seconds, by server and person; of those that had one."""


class Turn(NamedTuple):
    """Orders jobs on one server; the smallest is next."""

    is_ordinary: bool
    put_first_at: float
    running: int
    last_start: float
    number: int


def turn(job: Job, running: int, last_start: float, number: int) -> Turn:
    """The turn of a job on one server.

    Args:
        job: waits.
        running: how many jobs of its person run there.
        last_start: when the last job of its person started there, in seconds; 0: none is known.
        number: of the job, in the order of submission.
    """
    if job.put_first:
        return Turn(
            is_ordinary=False,
            put_first_at=job.put_first.at.timestamp(),
            running=0,
            last_start=0,
            number=number,
        )
    return Turn(is_ordinary=True, put_first_at=0, running=running, last_start=last_start, number=number)


class Group:
    """Waiting jobs of one person that ask for the same: where the first does not fit, none does."""

    def __init__(self, jobs: Iterable[tuple[int, Job]]) -> None:
        self.waiting = deque(jobs)

    @property
    def number(self) -> int:
        """Of its first job, in the order of submission."""
        return self.waiting[0][0]

    @property
    def job(self) -> Job:
        """Its first job."""
        return self.waiting[0][1]


def groups(waiting: Sequence[Job]) -> list[Group]:
    """The jobs, which are in the order of submission, with those together that differ in nothing that counts."""
    found: dict[object, list[tuple[int, Job]]] = {}
    for number, job in enumerate(waiting):
        alone = job.id if job.put_first else ""
        key = (
            job.requested_by,
            job.server,
            job.servers,
            job.gpus,
            job.gpu_memory_gib,
            bool(job.override),
            job.is_cell,
            alone,
        )
        found.setdefault(key, []).append((number, job))
    return [Group(jobs) for jobs in found.values()]


def may_run_on(job: Job, servers: Collection[str]) -> list[str]:
    """Those of `servers`, which take jobs, on which the job may run; a job's own server also where it takes none."""
    if not job.servers:
        return [job.server]
    return list(servers) if ANY in job.servers else list(job.servers)


def places(
    unfinished: Sequence[Job], paused: Collection[str], servers: Collection[str], last_starts: LastStarts
) -> dict[str, int]:
    """The place of each waiting job in the queue, 1 being next; jobs of `paused` sweeps have none.

    A place counts the jobs that start before on the same server, were none to end and enough GPUs free.
    A job that may run on several servers has the best of its places there. `unfinished` are all jobs that
    have not ended, in the order of submission; `servers` take jobs.
    """
    waiting: dict[str, list[tuple[int, Job]]] = {}
    running: dict[str, Counter[str]] = {}
    for number, job in enumerate(unfinished):
        if job.state.holds_server:
            running.setdefault(job.server, Counter())[job.requested_by] += 1
        elif job.state is JobState.QUEUED and job.sweep not in paused:
            for server in may_run_on(job, servers):
                waiting.setdefault(server, []).append((number, job))
    best: dict[str, int] = {}
    for server, jobs in waiting.items():
        for place, job in enumerate(_in_turn(jobs, running.get(server, Counter()), server, last_starts), 1):
            best[job.id] = min(place, best.get(job.id, place))
    return best


def _in_turn(
    jobs: Sequence[tuple[int, Job]], running: Mapping[str, int], server: str, last_starts: LastStarts
) -> list[Job]:
    first = sorted((turn(job, 0, 0, number), job.id, job) for number, job in jobs if job.put_first)
    theirs: dict[str, deque[tuple[int, Job]]] = {}
    for number, job in jobs:
        if not job.put_first:
            theirs.setdefault(job.requested_by, deque()).append((number, job))
    counts = Counter(running)
    counts.update(job.requested_by for _, _, job in first)
    heap = [
        (
            counts[person],
            math.inf if counts[person] > running.get(person, 0) else last_starts.get((server, person), 0),
            queue[0][0],
            person,
        )
        for person, queue in theirs.items()
    ]
    heapq.heapify(heap)
    ordered = [job for _, _, job in first]
    while heap:
        count, _, _, person = heapq.heappop(heap)
        _, job = theirs[person].popleft()
        ordered.append(job)
        if theirs[person]:
            heapq.heappush(heap, (count + 1, math.inf, theirs[person][0][0], person))
    return ordered
