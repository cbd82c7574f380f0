"""Placement over random schedules: colleagues come and go, jobs end, servers fall silent, people decide.

At each step three things must hold: no GPU has more jobs than it may, or one beside a foreign process or
another person's reservation; and no GPU stays idle for more than two rounds while a job that fits waits.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from functools import cache

from backend.jobs.job import ANY, Decision, Job, JobState
from backend.jobs.placement import Placement, Start
from backend.servers.reservations import OthersHold
from backend.servers.server import Server
from backend.servers.state import ServerStatus, State
from tests import examples
from tests.jobs.gpu_servers import GPU_MIB, gpu, server
from tests.jobs.placed import running

SCHEDULES = 1000
ROUNDS = 12
PEOPLE = ("kim", "lee", "park")
GIB = GPU_MIB / 1024
PROCESSORS = 4

reading = cache(gpu)
"""The same few readings are seen thousands of times."""


@dataclass
class Lab:
    """The truth: what runs where. Placement sees readings of it."""

    dice: random.Random
    servers: dict[str, Server] = field(default_factory=dict)
    gpus: dict[str, int] = field(default_factory=dict)
    foreign: dict[tuple[str, int], str] = field(default_factory=dict)
    reserved: dict[tuple[str, int | None], str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    jobs: list[Job] = field(default_factory=list)
    waited: Counter[str] = field(default_factory=Counter)
    numbers: int = 0

    def __post_init__(self) -> None:
        for number in range(self.dice.randint(1, 3)):
            name, count = f"gpu{number}", self.dice.choice([0, 1, 2, 4, 8])
            values: dict[str, object] = {"name": name, "agent": "http://127.0.0.1:9", "ray": True}
            if self.dice.random() < 0.3:
                values["jobs_per_gpu"] = 2
            if count and self.dice.random() < 0.3:
                values["gpus"] = self.dice.sample(range(count), self.dice.randint(1, count))
            self.servers[name], self.gpus[name] = Server.model_validate(values), count
        self.placement = Placement(self.servers, self.servers.keys(), self.status, self.others_hold)

    def status(self, name: str) -> ServerStatus:
        readings = []
        running = self.running(name)
        for index in range(self.gpus[name]):
            ours = tuple(job.id for job in running if index in self.indices(job))
            user = self.foreign.get((name, index))
            readings.append(reading(index, (user,) if user else (), ours))
        state = State.DOWN if name in self.silent else State.BUSY
        return server(name, readings, state, cpu_count=PROCESSORS)

    def others_hold(self, name: str, person: str) -> OthersHold:
        theirs = {gpu: who for (where, gpu), who in self.reserved.items() if where == name and who != person}
        whole = theirs.pop(None, "")
        gpus = {index: who for index, who in theirs.items() if index is not None}
        return OthersHold(f"{name} is reserved by {whole}" if whole else "", gpus)

    def running(self, name: str) -> list[Job]:
        return [job for job in self.jobs if job.state is JobState.RUNNING and job.server == name]

    def indices(self, job: Job) -> set[int]:
        return {one.index for one in job.assigned or ()}

    def happen(self) -> None:
        """What people and machines do between two rounds. A colleague may take any GPU that none of our jobs has."""
        dice = self.dice
        self.jobs = [
            job
            for job in self.jobs
            if job.state is JobState.QUEUED or dice.random() > 0.25  # others end
        ]
        for name, count in self.gpus.items():
            if dice.random() < 0.05:
                self.silent ^= {name}
            ours = {index for job in self.running(name) for index in self.indices(job)}
            for index in range(count):
                if (name, index) in self.foreign and dice.random() < 0.3:
                    del self.foreign[name, index]
                elif index not in ours and dice.random() < 0.08:
                    self.foreign[name, index] = dice.choice(PEOPLE)
            where = (name, dice.choice([None, *range(count)]))
            if dice.random() < 0.1:
                self.reserved[where] = dice.choice(PEOPLE)
            elif dice.random() < 0.3:
                self.reserved.pop(where, None)
        for _ in range(dice.randint(0, 4)):
            self.submit()

    def submit(self) -> None:
        dice = self.dice
        names = list(self.servers)
        several = tuple(dice.sample(names, dice.randint(1, len(names)))) if dice.random() < 0.5 else (ANY,)
        choice = {"server": dice.choice(names)} if dice.random() < 0.6 else {"server": "", "servers": several}
        decision = Decision(by="park", at=examples.NOON)
        job = examples.job(
            f"r{self.numbers:06x}",
            requested_by=dice.choice(PEOPLE),
            gpus=dice.choice([None, None, 0, 1, 1, 2, 4]),
            gpu_memory_gib=dice.choice([None, None, 20.0, 60.0]),
            sweep=dice.choice([None, "s1"]),
            put_first=decision if dice.random() < 0.05 else None,
            override=decision if dice.random() < 0.05 else None,
            **choice,
        )
        self.numbers += 1
        self.jobs.append(job)

    def round(self) -> None:
        chosen = self.placement.round(self.jobs, {}, {})
        queued = {job.id for job in self.jobs if job.state is JobState.QUEUED}
        started = {start.job.id for start in chosen.starts}
        assert started | chosen.reasons.keys() == queued
        assert not started & chosen.reasons.keys()
        assert all(chosen.reasons.values())
        for start in chosen.starts:
            self.check(start)
        self.jobs = running(self.jobs, chosen.starts)
        self.check_all()

    def check(self, start: Start) -> None:
        """Of a job that starts: its server, GPUs and the reservations are respected."""
        job, name, count = start.job, start.server, self.gpus[start.server]
        assert name not in self.silent
        assert name == job.server or name in job.servers or job.servers == (ANY,)
        need = job.gpus if job.gpus is not None else min(1, len(self.allowed(name)))
        assert len({one.uuid for one in start.gpus}) == len(start.gpus) == need
        for one in start.gpus:
            assert one.index < count
            assert one.index in self.allowed(name)
            assert (name, one.index) not in self.foreign
            if not job.override:
                assert self.reserved.get((name, one.index), job.requested_by) == job.requested_by
        if not job.override:
            assert self.reserved.get((name, None), job.requested_by) == job.requested_by

    def check_all(self) -> None:
        """Of all that run: no GPU has more than it may. Of all that wait: none that fits has waited too long."""
        for name, settings in self.servers.items():
            running = self.running(name)
            for index in range(self.gpus[name] if running else 0):
                here = [job for job in running if index in self.indices(job)]
                assert len(here) <= settings.jobs_per_gpu
                assert sum(job.gpu_memory_gib or 0 for job in here) <= GIB
            shares = [job.limits and job.limits.threads for job in running if not job.assigned]
            assert len(shares) <= 1 or sum(share or PROCESSORS for share in shares) <= PROCESSORS
        waiting = [job for job in self.jobs if job.state is JobState.QUEUED]
        idle = {job.id for job in waiting if any(self.fits(job, name) for name in self.servers)}
        self.waited = Counter({name: self.waited[name] + 1 for name in idle})
        assert max(self.waited.values(), default=0) <= 2

    def fits(self, job: Job, name: str) -> bool:
        """Whether enough idle GPUs are there for the job, or no other where it needs none.

        And no job that was put first is waiting for them.
        """
        may = name == job.server or name in job.servers or job.servers == (ANY,)
        if not may or name in self.silent:
            return False
        need = job.gpus if job.gpus is not None else min(1, len(self.allowed(name)))
        running = self.running(name)
        if need == 0 and not all(one.assigned for one in running):
            return False
        taken = {index for one in running for index in self.indices(one)}
        idle = [
            index for index in self.allowed(name) if index not in taken and (name, index) not in self.foreign
        ]
        if len(idle) < need or (need and (job.gpu_memory_gib or 0) > GIB):
            return False
        if any(one.put_first and one.server == name and one.state is JobState.QUEUED for one in self.jobs):
            return False
        held = self.others_hold(name, job.requested_by) if not job.override else OthersHold()
        return not held.server and sum(index not in held.gpus for index in idle) >= need

    def allowed(self, name: str) -> list[int]:
        chosen = self.servers[name].gpus
        return list(range(self.gpus[name])) if chosen is None else list(chosen)


def test_random_schedules_break_no_rule_and_leave_no_gpu_idle() -> None:
    started = 0
    for seed in range(SCHEDULES):
        lab = Lab(random.Random(seed))
        try:
            for _ in range(ROUNDS):
                lab.happen()
                lab.round()
                started += sum(job.state is JobState.RUNNING for job in lab.jobs)
        except AssertionError as error:
            raise AssertionError(f"schedule {seed}: {error}") from error
    assert started > SCHEDULES
