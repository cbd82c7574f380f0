"""Which queued jobs start now, on which server and which GPUs, and why the others wait."""

import heapq
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from backend.jobs.job import AssignedGpu, Job, JobState, Limits, Resources
from backend.jobs.room import Room
from backend.jobs.turns import Group, LastStarts, Turn, groups, may_run_on, turn
from backend.servers.faults import works
from backend.servers.reservations import OthersHold
from backend.servers.server import Server
from backend.servers.state import ServerStatus
from backend.servers.use import computing, foreign_use
from backend.text import listed

log = logging.getLogger(__name__)

_START_PAUSE_SECONDS = 15
_MOST_OURS = 10_000
_SHOWN_SERVERS = 3


class Start(NamedTuple):
    """A job that starts, and where."""

    job: Job
    server: str
    gpus: tuple[AssignedGpu, ...]
    limits: Limits | None


class Round(NamedTuple):
    starts: list[Start]
    reasons: dict[str, str]
    """Why each of the other queued jobs waits, by its id."""


class Placement:
    """Asks no server: all it uses is known before, so that one round over all jobs is quick."""

    def __init__(
        self,
        servers: Mapping[str, Server],
        takes_jobs: Collection[str],
        status_of: Callable[[str], ServerStatus | None],
        others_hold: Callable[[str, str], OthersHold] | None = None,
    ) -> None:
        """`takes_jobs` are the servers with an engine; `others_hold` tells what a server's other people reserved."""
        self._servers = servers
        self._takes_jobs = takes_jobs
        self._status_of = status_of
        self._others_hold = others_hold or (lambda _server, _person: OthersHold())
        self._failed_starts: dict[str, tuple[float, str]] = {}
        """Until when, by the monotonic clock, a server starts nothing, and why."""
        self._ours: dict[str, None] = {}
        """Jobs seen lately: readings may still show processes of those that ended."""
        self._faults: dict[str, str] = {}
        """The unexpected error in the last look at each server."""

    def round(self, unfinished: Sequence[Job], paused: Mapping[str, str], last_starts: LastStarts) -> Round:
        """Chooses for all queued jobs. `unfinished` are in the order of submission.

        `paused` are the sweeps that start nothing, each with who paused it.
        """
        self._remember(unfinished)
        reasons: dict[str, str] = {}
        waiting = []
        for job in unfinished:
            if job.state is not JobState.QUEUED:
                continue
            if by := paused.get(job.sweep or ""):
                reasons[job.id] = f"paused by {by}"
            else:
                waiting.append(job)
        placing = _Placing(self, unfinished, groups(waiting), last_starts)
        starts = placing.starts()
        for group in placing.groups:
            why = _reason(placing.why[id(group)])
            reasons |= {job.id: why for _, job in group.waiting}
        return Round(starts, reasons)

    def never(self, servers: Collection[str], resources: Resources) -> str:
        """Why no job with these needs can run on any of the servers; empty if it can, or that is not known."""
        reasons = [self.room(name, []).never(resources) for name in servers]
        return "; ".join(dict.fromkeys(reasons)) if reasons and all(reasons) else ""

    def taken(self, job: Job, status: ServerStatus | None) -> str:
        """Which of the job's GPUs others use by now, as a sentence; empty if none. `status` is its server's."""
        readings = {
            part.uuid: (gpu, part)
            for gpu in (status.snapshot.gpus if status and status.snapshot else None) or ()
            for part in (gpu, *(gpu.instances or ()))
        }
        for assigned in job.assigned or ():
            gpu, part = readings.get(assigned.uuid, (None, None))
            if gpu is None or part is None:
                if readings:
                    return f"GPU {assigned.index} was not there when the job was to start"
            elif not works(gpu) or foreign_use(part, self._ours):
                people = sorted(
                    {one.user for one in computing(part) if one.user and one.job not in self._ours}
                )
                taken = f"was taken by {listed(people) or 'another process'}"
                how = taken if works(gpu) else gpu.fault or "had a fault"
                return f"GPU {assigned.index} {how} when the job was to start"
        return ""

    def start_failed(self, server: str, reason: str) -> None:
        """Starts nothing on the server for a while."""
        self._failed_starts[server] = (time.monotonic() + _START_PAUSE_SECONDS, reason)

    def servers_for(self, job: Job) -> tuple[list[str], list[str]]:
        """The servers on which the job may run: those that take jobs, and those that do not."""
        names = may_run_on(job, self._takes_jobs)
        return [name for name in names if name in self._takes_jobs], [
            name for name in names if name not in self._takes_jobs
        ]

    def room(self, name: str, running: Sequence[Job]) -> Room:
        """The server with its running jobs; one that cannot be looked at has no room, and the error as reason."""
        server = self._servers[name]
        try:
            room = Room(server, self._status_of(name), running, self._ours)
            self._faults.pop(name, None)
        except Exception as error:  # no server may keep jobs from the others
            fault = f"{type(error).__name__}: {error}"
            if self._faults.get(name) != fault:
                log.exception("jobs cannot be placed on %s", name)
            self._faults[name] = fault
            room = Room(server, None, [], self._ours, fault)
        return room

    def failed_start(self, server: str) -> str:
        """Why the server starts nothing for a while; empty if it does."""
        until, reason = self._failed_starts.get(server, (0, ""))
        return reason if time.monotonic() < until else ""

    def others_hold(self, server: str, job: Job) -> OthersHold:
        """What keeps the job from the server or its GPUs, unless its reservations were overridden."""
        return OthersHold() if job.override else self._others_hold(server, job.person)

    def _remember(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._ours.pop(job.id, None)
            self._ours[job.id] = None
        for old in list(self._ours)[: max(0, len(self._ours) - _MOST_OURS)]:
            del self._ours[old]


class _Placing:
    """One round."""

    def __init__(
        self, placement: Placement, unfinished: Sequence[Job], waiting: list[Group], last_starts: LastStarts
    ) -> None:
        self.groups = waiting
        self.why: dict[int, dict[str, str]] = {id(group): {} for group in waiting}
        """Why each group waits, by the server."""
        self._placement = placement
        self._last_starts = dict(last_starts)
        self._held: dict[tuple[str, str, bool], OthersHold] = {}
        running: dict[str, list[Job]] = {}
        for job in unfinished:
            if job.state.holds_server:
                running.setdefault(job.server, []).append(job)
        self._theirs: dict[str, list[Group]] = {}
        """The groups that may run on each server."""
        for group in waiting:
            able, unable = placement.servers_for(group.job)
            for name in able:
                self._theirs.setdefault(name, []).append(group)
            self.why[id(group)] |= {name: no_longer_trains(name) for name in unable}
        self._rooms = {name: placement.room(name, running.get(name, [])) for name in self._theirs}

    def starts(self) -> list[Start]:
        """Fills the best server first; a server that took a job is ranked again."""
        heap = [(room.rank, name) for name, room in self._rooms.items()]
        heapq.heapify(heap)
        found = []
        while heap:
            _, name = heapq.heappop(heap)
            if start := self._next(self._rooms[name]):
                found.append(start)
                heapq.heappush(heap, (self._rooms[name].rank, name))
        return found

    def _next(self, room: Room) -> Start | None:
        """The job that starts next on this server, None where none can."""
        theirs = [group for group in self._theirs[room.server.name] if group.waiting]
        in_turn = sorted(
            theirs,
            key=lambda group: self._turn(room, group),
        )
        ahead: dict[bool, Job] = {}
        """The job that the others wait behind, of those that need GPUs and of those that need none."""
        for group in in_turn:
            job, needs_gpus = group.job, bool(room.gpus_needed(group.job))
            fit = self._fit(room, job, ahead.get(needs_gpus))
            if not isinstance(fit, str):
                group.waiting.popleft()
                self._last_starts[room.server.name, job.person, needs_gpus] = time.time()
                limits = room.limits(job, 1 + self._cells_after(room, job, theirs))
                room.take(job, fit, limits)
                return Start(job, room.server.name, fit, limits)
            self.why[id(group)][room.server.name] = fit
            if needs_gpus not in ahead and self._lets_none_pass(room, job, needs_gpus=needs_gpus):
                ahead[needs_gpus] = job
        return None

    def _cells_after(self, room: Room, job: Job, theirs: Sequence[Group]) -> int:
        """How many trainings of sweeps are next on the processors after the job, which starts.

        A job that runs alone is waited for: a training before it would leave processors idle that were kept for others.
        """
        if not job.is_cell or room.gpus_needed(job):
            return 0
        started = Counter([job.person])
        left = {
            id(group): len(group.waiting)
            for group in theirs
            if group.waiting and not room.gpus_needed(group.job) and not self._kept_out(room, group.job)
        }
        count = 0
        while count < room.processors and any(left.values()):
            waiting = [group for group in theirs if left.get(id(group))]
            following = min(waiting, key=lambda group: self._turn(room, group, started))
            if not following.job.is_cell:
                break
            started[following.job.person] += 1
            left[id(following)] -= 1
            count += 1
        return count

    def _turn(self, room: Room, group: Group, started: Mapping[str, int] = MappingProxyType({})) -> Turn:
        person, needs_gpus = group.job.person, bool(room.gpus_needed(group.job))
        last_start = self._last_starts.get((room.server.name, person, needs_gpus), 0)
        running = room.running_of(person, has_gpus=needs_gpus) + started.get(person, 0)
        return turn(group.job, running, last_start, group.number)

    def _fit(self, room: Room, job: Job, ahead: Job | None) -> tuple[AssignedGpu, ...] | str:
        if obstacle := self._kept_out(room, job):
            return obstacle
        if ahead and ahead.put_first:
            return f"waits behind {ahead.id}, which {ahead.put_first.by} put first"
        fit = room.fit(job, self._others_hold(room, job).gpus)
        return f"waits behind {ahead.id}" if ahead and not isinstance(fit, str) else fit

    def _lets_none_pass(self, room: Room, job: Job, *, needs_gpus: bool) -> bool:
        """Whether later jobs wait until the job fits.

        Otherwise jobs with fewer GPUs would for ever take each one that becomes free, and trainings of sweeps the
        processors that one of them leaves.
        """
        if not needs_gpus:
            return not self._kept_out(room, job)
        gpus = self._others_hold(room, job).gpus
        return bool(job.put_first and job.server) and room.could_fit(job, gpus)

    def _kept_out(self, room: Room, job: Job) -> str:
        """Why the server takes no such job now, whatever is free on it."""
        name = room.server.name
        return self._others_hold(room, job).server or room.closed(job) or self._placement.failed_start(name)

    def _others_hold(self, room: Room, job: Job) -> OthersHold:
        key = (room.server.name, job.person, job.override is not None)
        if key not in self._held:
            self._held[key] = self._placement.others_hold(room.server.name, job)
        return self._held[key]


def _reason(why: Mapping[str, str]) -> str:
    """The reasons of all servers in one sentence."""
    if not why:
        return "no server takes jobs"
    if len(why) == 1:
        return next(iter(why.values()))
    told = [
        reason if reason.startswith(name) else f"{name}: {reason}" for name, reason in sorted(why.items())
    ]
    more = len(told) - _SHOWN_SERVERS
    return "; ".join(told[:_SHOWN_SERVERS]) + (f"; and {more} more" if more > 0 else "")


def no_longer_trains(server: str) -> str:
    """The reason of jobs whose server was taken out of servers.toml, or no longer takes jobs."""
    return f"{server} takes no trainings any more: put it back into servers.toml, or cancel."
