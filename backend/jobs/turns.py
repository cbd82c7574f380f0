"""Whose job is next: on each server that of the person with the fewest running, then the oldest. Pure.

Jobs with GPUs and those without wait for different things: a server has a queue of each, and each counts its own jobs
alone. Otherwise a person with a long job on a GPU would wait with one for the processors as long as others ask for
those.

Of people with equally many running, the one whose last job there started earlier is first: where one job runs at a
time, none is running when the next one starts.
"""

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from backend.jobs.job import ANY, Job, JobState

LastStarts: TypeAlias = Mapping[tuple[str, str, bool], float]
"""When the last job of a person started on a server, in seconds: by server, person and whether it has GPUs."""


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
        running: how many jobs of its person run there, with GPUs or without as it will.
        last_start: when the last of these started, in seconds; 0: none is known.
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
            job.person,
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

    A place counts the jobs that start before on the same server, with GPUs or without as it will, were as many to run
    at once as now, and those that started first to end first. A job that may run on several servers has the best of its
    places there. `unfinished` are all jobs that have not ended, in the order of submission; `servers` take jobs.
    """
    # Where a job has had a GPU, those that do not say how many they need get one.
    with_gpus = {server for server, _, has_gpus in last_starts if has_gpus}
    waiting: dict[tuple[str, bool], list[tuple[int, Job]]] = {}
    running: dict[tuple[str, bool], list[Job]] = {}
    for number, job in enumerate(unfinished):
        if job.state.holds_server:
            running.setdefault((job.server, job.has_gpus), []).append(job)
        elif job.state is JobState.QUEUED and job.sweep not in paused:
            for server in may_run_on(job, servers):
                needs_gpus = server in with_gpus if job.gpus is None else job.gpus > 0
                waiting.setdefault((server, needs_gpus), []).append((number, job))
    best: dict[str, int] = {}
    for queue, jobs in waiting.items():
        lasts = {
            person: last for (server, person, kind), last in last_starts.items() if (server, kind) == queue
        }
        for place, job in enumerate(_Course(jobs, running.get(queue, []), lasts).starts(), 1):
            best[job.id] = min(place, best.get(job.id, place))
    return best


class _Course:
    """What starts in one queue of a server, one job after the other, as far as it can be told beforehand."""

    def __init__(
        self, jobs: Sequence[tuple[int, Job]], running: Sequence[Job], lasts: Mapping[str, float]
    ) -> None:
        """`jobs` wait, with their numbers; `lasts` tells when the last such job of each person started."""
        first = sorted((turn(job, 0, 0, number), job.id, job) for number, job in jobs if job.put_first)
        self._first = deque(job for _, _, job in first)
        self._theirs: dict[str, deque[tuple[int, Job]]] = {}
        for number, job in jobs:
            if not job.put_first:
                self._theirs.setdefault(job.person, deque()).append((number, job))
        by_start = sorted(running, key=lambda job: job.started_at or job.submitted_at)
        self._running = deque(job.person for job in by_start)
        self._most = len(running)
        self._count = len(jobs)
        # Other jobs without GPUs run alone: they wait for all of these, and all wait for them.
        self._only_cells_share = bool(running) and all(job.is_cell and job.assigned == () for job in running)
        self._counts = Counter(self._running)
        self._lasts = dict(lasts)
        self._moments = itertools.count(max(lasts.values(), default=0) + 1)
        self._heap: list[tuple[int, float, int, str]] = []

    def starts(self) -> list[Job]:
        for person in self._theirs:
            self._rank(person)
        ordered: list[Job] = []
        is_alone = False
        while len(ordered) < self._count:
            if is_alone or (self._running and len(self._running) == self._most):
                self._end_oldest()
            job = self._next()
            is_alone = self._only_cells_share and not job.is_cell
            if is_alone and self._running:
                is_alone = False
                self._end_oldest()  # after which another one may be next
                continue
            self._start(job)
            ordered.append(job)
        return ordered

    def _next(self) -> Job:
        if self._first:
            return self._first[0]
        while True:
            rank = self._heap[0]
            person = rank[-1]
            if self._theirs[person] and rank == self._rank_of(person):  # otherwise it was ranked again since
                return self._theirs[person][0][1]
            heapq.heappop(self._heap)

    def _start(self, job: Job) -> None:
        person = job.person
        (self._first if job.put_first else self._theirs[person]).popleft()
        self._running.append(person)
        self._counts[person] += 1
        self._lasts[person] = next(self._moments)
        self._rank(person)

    def _end_oldest(self) -> None:
        person = self._running.popleft()
        self._counts[person] -= 1
        self._rank(person)

    def _rank(self, person: str) -> None:
        if self._theirs.get(person):
            heapq.heappush(self._heap, self._rank_of(person))

    def _rank_of(self, person: str) -> tuple[int, float, int, str]:
        number, _ = self._theirs[person][0]
        return self._counts[person], self._lasts.get(person, 0), number, person
