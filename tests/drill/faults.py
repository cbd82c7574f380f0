"""What goes wrong during a drill, in a random order."""

import random
import signal
from collections import Counter
from collections.abc import Callable, Sequence

from tests.drill.lab import Lab
from tests.drill.launches import Launch
from tests.drill.processes import send
from tests.drill.ray_nodes import RayServer
from tests.google.server import Fault

_LONGEST = 4
"""After how many more faults at most a fault is over that lasts."""
_SHEET_FAULTS = (Fault(status=503), Fault(status=429, retry_after=1), Fault(status=500), Fault())


class Faults:
    def __init__(
        self, lab: Lab, chance: random.Random, launches: Sequence[Launch], *, has_own_disk: bool
    ) -> None:
        self._lab = lab
        self._chance = chance
        self._launches = launches
        self._ends: dict[str, tuple[int, Callable[[], object]]] = {}
        """After how many faults each lasting fault is over, and what ends it."""
        self.counts: Counter[str] = Counter()
        kinds: dict[str, tuple[int, Callable[[str], bool]]] = {
            "backend killed": (3, self._kill_backend),
            "backend stopped": (2, self._stop_backend),
            "job killed": (3, self._kill_job),
            "job stopped": (2, self._stop_job),
            "job cancelled": (3, self._cancel),
            "foreign process": (4, self._bring_foreigner),
            "sheet away": (2, self._break_sheet),
            "wall clock wrong": (1, self._set_clock),
        }
        if has_own_disk:
            kinds["disk full"] = (1, self._fill_disk)
        if lab.ray:
            kinds |= {
                "agent killed": (2, self._kill_agent),
                "agent stopped": (2, self._stop_agent),
                "Ray's head stopped": (2, self._stop_head),
                "Ray's node killed": (2, self._kill_node),
            }
            if lab.ray.head.is_apart:
                kinds["Ray's head killed"] = (1, self._kill_head)
        self._kinds = kinds

    def next(self) -> None:
        """Ends what has lasted long enough, and does the next thing; one that is impossible now is left out."""
        for what, (left, end) in list(self._ends.items()):
            self._ends[what] = (left - 1, end)
            if left <= 1:
                self._end(what)
        names = list(self._kinds)
        what = self._chance.choices(names, [weight for weight, _ in self._kinds.values()])[0]
        if what not in self._ends and self._kinds[what][1](what):
            self.counts[what] += 1

    def heal(self) -> None:
        """Ends all that lasts."""
        for what in list(self._ends):
            self._end(what)
        for foreigner in list(self._lab.watch.foreigners):
            self._lab.watch.leave(foreigner)

    def touched(self, job: str, how: str) -> None:
        for launch in self._launches:
            if launch.job == job:
                launch.touched.append(how)

    def _lasts(self, what: str, end: Callable[[], object]) -> None:
        self._ends[what] = (self._chance.randint(1, _LONGEST), end)

    def _end(self, what: str) -> None:
        _, end = self._ends.pop(what)
        end()

    def _kill_backend(self, what: str) -> bool:
        self._lab.signal_backend(signal.SIGCONT)
        self._ends.pop("backend stopped", None)
        self._lab.kill_backend()
        if self._chance.random() < 0.5:
            self._lab.start_backend()
        else:
            self._lasts(what, self._lab.start_backend)
        return True

    def _stop_backend(self, what: str) -> bool:
        if "backend killed" in self._ends:
            return False
        self._lab.signal_backend(signal.SIGSTOP)
        self._lasts(what, lambda: self._lab.signal_backend(signal.SIGCONT))
        return True

    def _pid_of_a_job(self) -> int | None:
        ours = sorted((one.pid, one.job) for one in self._lab.watch.processes if one.job)
        if not ours:
            return None
        pid, job = self._chance.choice(ours)
        self.touched(job, "killed")
        return pid

    def _kill_job(self, what: str) -> bool:
        pid = self._pid_of_a_job()
        return pid is not None and send(pid, signal.SIGKILL)

    def _stop_job(self, what: str) -> bool:
        pid = self._pid_of_a_job()
        if pid is None or not send(pid, signal.SIGSTOP):
            return False
        self._lasts(what, lambda: send(pid, signal.SIGCONT))
        return True

    def _cancel(self, what: str) -> bool:
        if not (jobs := sorted(self._lab.unfinished())):
            return False
        job = self._chance.choice(jobs)
        self.touched(job, "cancelled")
        return self._lab.ask("POST", f"/api/jobs/{job}/cancel") is not None

    def _bring_foreigner(self, what: str) -> bool:
        if not (unused := self._lab.watch.unused()):
            return False
        foreigner = self._lab.bring_foreigner(self._chance.choice(unused))
        self._lasts(f"{what} {foreigner.process.pid}", lambda: self._lab.watch.leave(foreigner))
        return True

    def _break_sheet(self, what: str) -> bool:
        sheet = self._lab.sheet
        with sheet.lock:
            sheet.away = self._chance.choice(_SHEET_FAULTS)
        self._lasts(what, lambda: setattr(sheet, "away", None))
        return True

    def _fill_disk(self, what: str) -> bool:
        spared = [launch for launch in self._launches if launch.job not in ["", *self._lab.unfinished()]]

        def free() -> None:
            self._lab.free_disk()
            for launch in self._launches:
                if launch not in spared and launch.job:
                    launch.touched.append(what)

        self._lab.fill_disk()
        self._lasts(what, free)
        return True

    def _set_clock(self, what: str) -> bool:
        self._lab.clock.set_ahead(self._chance.choice((-600, 600)))
        self._lasts(what, lambda: self._lab.clock.set_ahead(0))
        return True

    def _server(self) -> RayServer:
        assert self._lab.ray
        return self._chance.choice(self._lab.ray.servers)

    def _kill_agent(self, what: str) -> bool:
        server = self._server()
        server.agent.kill()
        self._lasts(what, server.start_agent)
        return True

    def _stop_agent(self, what: str) -> bool:
        agent = self._server().agent
        agent.process.send_signal(signal.SIGSTOP)
        self._lasts(what, lambda: agent.process.send_signal(signal.SIGCONT))
        return True

    def _stop_head(self, what: str) -> bool:
        assert self._lab.ray
        head = self._lab.ray.head
        self._lasts(what, lambda: head.send("gcs_server", signal.SIGCONT))
        return head.send("gcs_server", signal.SIGSTOP)

    def _kill_head(self, what: str) -> bool:
        """Jobs outlive it: what it knows is on its disk, and it is started again at once."""
        assert self._lab.ray
        self._ends.pop("Ray's head stopped", None)
        self._lab.ray.head.kill()
        return True

    def _kill_node(self, what: str) -> bool:
        """Ray ends the jobs of a node with it."""
        server = self._server()
        for job in self._lab.unfinished():
            if self._lab.watch.servers.get(job) in ("", server.name):
                self.touched(job, what)
        return server.node.send("raylet", signal.SIGKILL)
