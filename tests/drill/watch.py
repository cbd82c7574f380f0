"""What must never be seen, looked for ten times a second while the drill lasts."""

import sqlite3
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from backend.jobs.job import JobState
from tests.drill.gpus import Foreigner, Machine
from tests.drill.processes import Seen, seen

_READINGS = 2
"""After so many readings that show a foreign process no job may start beside it: one may fall between the last
look of the queue at the GPU and the start of the job."""


class Watch(threading.Thread):
    """Also keeps the stub GPUs true."""

    def __init__(self, mark: str, store: Path, machines: Sequence[Machine], here: str) -> None:
        """`here` is the server of the backend, where a job starts at once after the last look at its GPU."""
        super().__init__(daemon=True)
        self._mark, self._store, self._here = mark, store, here
        self._machines = machines
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._problems: dict[str, None] = {}
        self._began: dict[tuple[str, int], float] = {}
        """When the first process of each job was started, for each session: a job that starts again has another."""
        self.processes: list[Seen] = seen(mark)  # none yet: what is there now is never looked at again
        self.states: dict[str, JobState] = {}
        self.servers: dict[str, str] = {}
        self._placed_at: dict[str, tuple[int | None, float]] = {}
        """What the store says about when each job was placed, and when that was seen, in seconds since 1970."""
        self._looked_at = time.time()
        self.foreigners: list[Foreigner] = []
        self.looks = 0
        self.yielded = 0
        """How many foreign processes came to a GPU in the moment in which a job started there, and went."""

    @property
    def problems(self) -> list[str]:
        with self._lock:
            return list(self._problems)

    def problem(self, text: str) -> None:
        with self._lock:
            self._problems.setdefault(text)

    def run(self) -> None:
        while not self._ending.wait(0.1):
            try:
                self._look()
            except Exception:  # noqa: BLE001 - a watch that has ended would see nothing
                self.problem(f"the watch failed: {traceback.format_exc()}")

    def close(self) -> None:
        self._ending.set()
        self.join()

    def unused(self) -> list[str]:
        """The GPUs without any process."""
        used = {uuid for process in self.processes for uuid in process.gpus}
        used |= {foreigner.gpu for foreigner in self.foreigners}
        return [uuid for machine in self._machines for uuid in machine.uuids if uuid not in used]

    def note(self, servers: Sequence[dict[str, Any]]) -> None:
        """Takes what the backend tells of its servers: it knows the foreign processes that are in there."""
        for server in servers:
            snapshot = server["snapshot"] or {}
            shown = {
                process["pid"] for gpu in snapshot.get("gpus") or () for process in gpu["processes"] or ()
            }
            for foreigner in self.foreigners:
                if foreigner.process.pid in shown:
                    foreigner.readings.add(snapshot["at"])
                    if len(foreigner.readings) == _READINGS:
                        foreigner.known_at = foreigner.known_at or time.time()

    def _look(self) -> None:
        # The states first: what is over by then must have no process any more.
        over = {job for job, state in self._read().items() if state.is_over}
        self.processes = seen(self._mark)
        ours = [process for process in self.processes if process.job]
        sessions: dict[str, set[int]] = defaultdict(set)
        for process in ours:
            if process.job in over:
                state = self.states[process.job]
                self.problem(f"job {process.job} is {state}, and its process {process.pid} lives")
            sessions[process.job].add(process.session)
            key = process.job, process.session
            self._began[key] = min(process.began, self._began.get(key, process.began))
        for job, numbers in sessions.items():
            if len(numbers) > 1:
                self.problem(f"job {job} runs {len(numbers)} times at once")
        self._look_at_gpus(ours)
        shown = [process for process in self.processes if process.job or process.is_foreign]
        for machine in self._machines:
            machine.show(shown)
        self.looks += 1

    def _look_at_gpus(self, ours: Sequence[Seen]) -> None:
        users: dict[str, dict[str, Seen]] = defaultdict(dict)
        for process in ours:
            for uuid in process.gpus:
                users[uuid][process.job] = process
        for uuid, jobs in users.items():
            if len(jobs) > 1:
                self.problem(f"{uuid} has the jobs {' and '.join(sorted(jobs))}")
        for foreigner in list(self.foreigners):
            for job, process in users[foreigner.gpu].items():
                if foreigner.known_at and self._chosen_at(process) > foreigner.known_at:
                    self.problem(f"job {job} was started on {foreigner.gpu} beside a foreign process")
                else:
                    self.yielded += 1
                self.leave(foreigner)
                break

    def _chosen_at(self, process: Seen) -> float:
        """When the GPU was last looked at for the job of the process: Ray starts it some time later."""
        if self.servers.get(process.job) == self._here:
            return self._began[process.job, process.session]
        return self._placed_at[process.job][1]

    def leave(self, foreigner: Foreigner) -> None:
        if foreigner in self.foreigners:
            self.foreigners.remove(foreigner)
            foreigner.leave()

    def _read(self) -> dict[str, JobState]:
        # Whatever is new in the store came after the last look, by a clock that is right.
        before_that, self._looked_at = self._looked_at, time.time()
        with closing(sqlite3.connect(f"file:{self._store}?mode=ro", uri=True, timeout=30)) as store:
            rows = store.execute("SELECT id, state, server, started_at FROM jobs").fetchall()
        states: dict[str, JobState] = {}
        for job, state, server, started_at in rows:
            before = self.states.get(job)
            states[job] = JobState(state)
            self.servers[job] = server
            if self._placed_at.get(job, (None, 0))[0] != started_at:
                self._placed_at[job] = started_at, before_that
            if before and before.is_over and states[job] is not before:
                self.problem(f"job {job} was {before}, then {state}")
        for job in self.states.keys() - states.keys():
            self.problem(f"job {job} is gone from the store")
        self.states = states
        return states
