"""Rounds of placement, one after the other."""

import itertools

from backend.jobs.job import Job
from backend.jobs.placement import Placement, Start
from backend.servers.reservations import OthersHold
from backend.servers.server import Server
from backend.servers.state import ServerStatus
from tests import examples
from tests.jobs.placed import running

FAR = "http://127.0.0.1:9"


class Rounds:
    """Rounds of placement on servers that a test decides; what starts in one round runs in the next."""

    def __init__(self, *statuses: ServerStatus, **limits: object) -> None:
        self.statuses = {status.name: status for status in statuses}
        self.servers = {
            name: Server.model_validate({"name": name, "agent": FAR, "ray": True, **limits})
            for name in self.statuses
        }
        self.held: dict[tuple[str, str], OthersHold] = {}
        self.placement = Placement(
            self.servers,
            self.servers.keys(),
            lambda name: self.statuses[name],
            lambda name, person: self.held.get((name, person), OthersHold()),
        )
        self.jobs: list[Job] = []
        self._numbers = itertools.count()
        self._moments = itertools.count(1)
        self.last_starts: dict[tuple[str, str, bool], float] = {}
        self.paused: dict[str, str] = {}
        self.reasons: dict[str, str] = {}

    def add(self, person: str = "kim", where: str = "gpu1", **changes: object) -> str:
        name = f"r{next(self._numbers):06x}"
        choice = {"server": ""} if "servers" in changes else {"server": where}
        self.jobs.append(examples.job(name, requested_by=person, **(choice | changes)))
        return name

    def round(self) -> list[Start]:
        chosen = self.placement.round(self.jobs, self.paused, self.last_starts)
        self.reasons = chosen.reasons
        for start in chosen.starts:
            self.last_starts[start.server, start.job.person, bool(start.gpus)] = next(self._moments)
        self.jobs = running(self.jobs, chosen.starts)
        return chosen.starts

    def started(self) -> list[tuple[str, str, list[int]]]:
        """The job, its server and its GPUs, for each that starts in one round."""
        return [(start.job.id, start.server, [one.index for one in start.gpus]) for start in self.round()]

    def reason(self, job: str) -> str:
        self.round()
        return self.reasons[job]
