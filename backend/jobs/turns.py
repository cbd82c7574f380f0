"""Whose job is next: on each server that of the person with the fewest running, then the oldest. Pure.

Jobs with GPUs and those without wait for different things: a server has a queue of each, and each counts its own jobs
alone. Otherwise a person with a long job on a GPU would wait with one for the processors as long as others ask for
those.

Of people with equally many running, the one whose last job there started earlier is first: where one job runs at a
time, none is running when the next one starts.
"""

import itertools
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
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
    courses: defaultdict[tuple[str, bool], _Course] = defaultdict(_Course)
    for job in unfinished:
        if job.state.holds_server:
            courses[job.server, job.has_gpus].running.append(job)
        elif job.state is JobState.QUEUED and job.sweep not in paused:
            person = job.person  # the same in all queues in which it waits
            for server in may_run_on(job, servers):
                needs_gpus = server in with_gpus if job.gpus is None else job.gpus > 0
                courses[server, needs_gpus].add(person, job)
    best: dict[str, int] = {}
    for queue, course in courses.items():
        lasts = {
            person: last for (server, person, kind), last in last_starts.items() if (server, kind) == queue
        }
        for place, job in enumerate(course.starts(lasts), 1):
            best[job.id] = min(place, best.get(job.id, place))
    return best


class _Course:
    """What starts in one queue of a server, one job after the other, as far as it can be told beforehand."""

    def __init__(self) -> None:
        self.running: list[Job] = []
        self._first: list[tuple[datetime, str, Job]] = []
        self._theirs: defaultdict[str, deque[Job]] = defaultdict(deque)
        """The other jobs that wait, by person."""
        self._people: list[str] = []
        """Those who have such jobs, by their last starts."""
        self._slots: deque[str] = deque()
        """The person of each job that runs, by their starts."""

    def add(self, person: str, job: Job) -> None:
        """Adds a job that waits. Jobs are added in the order of submission."""
        if job.put_first:
            self._first.append((job.put_first.at, person, job))
        else:
            self._theirs[person].append(job)

    def starts(self, lasts: Mapping[str, float]) -> Iterator[Job]:
        """The jobs that wait, in order. `lasts` tells when the last such job of each person started."""
        first = deque(sorted(self._first, key=lambda decided: decided[0]))
        # Sorting is stable: of people whose last jobs started at once, the one whose job is older is first.
        self._people = sorted(self._theirs, key=lambda person: lasts.get(person, 0))
        by_start = sorted(self.running, key=lambda job: job.started_at or job.submitted_at)
        self._slots.extend(job.person for job in by_start)
        running, most = Counter(self._slots), len(self._slots)
        # Other jobs without GPUs run alone: they wait for all of these, and all wait for them.
        only_cells_share = most > 0 and all(job.is_cell and job.assigned == () for job in self.running)
        is_alone = False
        for step in itertools.count():
            if not (first or self._people):
                return
            # As a rule people take turns after some starts; looking each time would cost more than it saves.
            if step % (most + 1) == 0 and not (first or only_cells_share) and self._take_turns():
                yield from self._in_turn()
                return
            if is_alone or (most and len(self._slots) == most):
                running[self._slots.popleft()] -= 1
            if first:
                _, person, job = first[0]
            else:
                person = min(self._people, key=running.__getitem__)
                job = self._theirs[person][0]
            is_alone = only_cells_share and not job.is_cell
            if is_alone and self._slots:
                is_alone = False
                running[self._slots.popleft()] -= 1  # after which another one may be next
                continue
            (first or self._theirs[person]).popleft()
            running[person] += 1
            self._has_started(person)
            yield job

    def _has_started(self, person: str) -> None:
        self._slots.append(person)
        if person in self._people:
            self._people.remove(person)
        if self._theirs[person]:
            self._people.append(person)

    def _take_turns(self) -> bool:
        """Whether people with jobs that wait have started one after the other: then they go on like this.

        Of any two of them, the one whose last start is earlier has no more running than the other, whenever jobs end.
        """
        latest_first = (person for person in reversed(self._slots) if self._theirs[person])
        in_turn = itertools.cycle(reversed(self._people))
        return all(person == expected for person, expected in zip(latest_first, in_turn, strict=False))

    def _in_turn(self) -> Iterator[Job]:
        """One job of each person, again and again."""
        left = deque(self._theirs[person] for person in self._people)
        while left:
            theirs = left.popleft()
            yield theirs.popleft()
            if theirs:
                left.append(theirs)
