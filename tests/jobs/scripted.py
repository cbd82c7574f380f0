"""An engine whose every answer the test decides: processes that cannot be killed, servers that hang."""

from collections.abc import Callable, Mapping

import sqlalchemy as sa

from backend.errors import UnavailableError
from backend.jobs.engines import Engine, LogPart, ProcessState
from backend.jobs.job import Job, JobState
from backend.jobs.queue import Queue
from backend.jobs.results import Results
from backend.jobs.store import JobStore
from backend.probe.snapshot import HostReading, Snapshot
from backend.servers.server import Server
from backend.servers.state import ServerStatus, State, Verdict
from backend.settings import Home
from backend.times import now
from models.recipe import Recipe
from models.run_folder import RunFolder
from tests import examples


class ScriptedEngine:
    """Runs what it is asked to start until the test ends it."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        self.pending: set[str] = set()
        self.forgotten: set[str] = set()
        self.notes: dict[str, str] = {}
        self.calls: list[str] = []
        self.endings: dict[str, str] = {}
        self.on_start: Callable[[Job], object] = lambda _: None
        self.on_poll: Callable[[Job], object] = lambda _: None
        self.on_stop: Callable[[Job], object] = lambda _: None

    def start(self, job: Job) -> str:
        self.calls.append(f"start {job.id}")
        self.running.add(job.id)
        self.on_start(job)
        return f"handle of {job.id}"

    def poll(self, job: Job) -> ProcessState:
        self.on_poll(job)
        if job.id in self.forgotten:
            return ProcessState.FORGOTTEN
        if job.id in self.pending:
            return ProcessState.PENDING
        return ProcessState.RUNNING if job.id in self.running else ProcessState.EXITED

    def stop(self, job: Job, *, kill: bool = False) -> None:
        self.calls.append(f"{'kill' if kill else 'stop'} {job.id}")
        self.on_stop(job)

    def log(self, job: Job) -> str:
        return f"the last words of {job.id}"

    def ending(self, job: Job) -> str:
        return self.endings.get(job.id, "")

    def read_log(self, job: Job, start: int, most_bytes: int) -> LogPart:
        content = self.log(job).encode()
        first = max(0, len(content) + start) if start < 0 else start
        return LogPart(content[first : first + most_bytes], first, len(content))

    def note(self, job: Job) -> str:
        return self.notes.get(job.id, "")

    def close(self) -> None: ...


def idle_server(name: str) -> ServerStatus:
    """A server without GPUs that has room."""
    return ServerStatus(
        name=name,
        verdict=Verdict(state=State.IDLE, reason="CPU 1 %"),
        snapshot=Snapshot(server=name, at=now(), gpus=(), host=HostReading(cpu_percent=1)),
    )


class ScriptedLab:
    """A queue over a real store, on servers that have room."""

    def __init__(
        self,
        home: Home,
        database: sa.Engine,
        engines: Mapping[str, Engine],
        status_of: Callable[[str], ServerStatus] | None = None,
        look_at: Callable[[str], ServerStatus] | None = None,
    ) -> None:
        self.home = home
        self.database = database
        self.store = JobStore(database)
        self.shown = 0
        self.fails_to_show = False
        self._status_of = status_of or idle_server
        self._look_at = look_at
        self.servers = {name: Server(name=name, agent="http://127.0.0.1:9") for name in engines}
        self.results = Results(self.home, self.servers, self.store, lambda _: None)
        self.queue = self.another_queue(engines)

    def another_queue(self, engines: Mapping[str, Engine]) -> Queue:
        """As the next backend would make it."""
        return Queue(
            home=self.home,
            servers=self.servers,
            engines=engines,
            store=self.store,
            results=self.results,
            status_of=self._status_of,
            look_at=self._look_at,
            on_jobs_changed=self.show,
        )

    def show(self) -> None:
        if self.fails_to_show:
            raise UnavailableError("The disk is full.")
        self.shown += 1

    def job(self, server: str = "gpu1") -> Job:
        """A new one in the queue."""
        return self.queue.queue(server, examples.recipe(), "kim")

    def started(self, server: str = "gpu1") -> Job:
        """A new one that runs."""
        job = self.job(server)
        self.queue.advance()
        self.queue.advance()
        return self.store.job(job.id)

    def leave_result(self, job: Job) -> None:
        result = examples.run_result(job.id, recipe=Recipe(data="/data/speech"))
        RunFolder(self.home.runs / job.id).result_file.write_text(result.model_dump_json())


def seen(lab: ScriptedLab, job: Job) -> tuple[JobState, str]:
    """The job's state and reason as they are stored."""
    stored = lab.store.job(job.id)
    return stored.state, stored.reason
