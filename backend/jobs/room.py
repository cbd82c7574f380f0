"""What one server has free for jobs, and why a job does not fit there. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from backend.jobs.job import AssignedGpu, Job, Limits, Resources
from backend.probe.snapshot import GpuInstance, GpuReading
from backend.servers.faults import gpu_faults, host_faults
from backend.servers.logins import name_of, person_of
from backend.servers.server import Server
from backend.servers.state import ServerStatus, State
from backend.servers.use import computing, foreign_use, is_settled, memory_is_full
from backend.text import listed

_CLOSED = (State.OVERLOADED, State.STALE, State.DOWN, State.MAINTENANCE)
_MIB_PER_GIB = 1024
_UNKNOWN_USER = "unknown"
_MIB_PER_CELL = 4096  # the largest published network takes 2.7 GiB


@dataclass
class Unit:
    """A GPU, or an instance of a divided GPU, with the jobs that it has."""

    reading: GpuInstance
    gpu: GpuReading
    """The GPU itself."""
    others: list[str] | None
    """Whose foreign processes use it, as far as they are known; None where nothing foreign does."""
    jobs: list[Job] = field(default_factory=list)

    @property
    def label(self) -> str:
        return f"GPU {self.gpu.index}"

    @property
    def assigned(self) -> AssignedGpu:
        return AssignedGpu(uuid=self.reading.uuid or "", index=self.gpu.index, name=self.gpu.name)

    @property
    def memory_gib(self) -> float | None:
        total = self.reading.memory_total_mib
        return None if total is None else total / _MIB_PER_GIB

    @property
    def promised_gib(self) -> float:
        return sum(job.gpu_memory_gib or 0 for job in self.jobs)


class Room:
    """One server with the jobs that it has. Jobs that start are added with `take`."""

    def __init__(
        self,
        server: Server,
        status: ServerStatus | None,
        running: Sequence[Job],
        ours: Collection[str],
        fault: str = "",
    ) -> None:
        """A server that takes jobs, at this moment.

        Args:
            server: with the limits of servers.toml.
            status: None: it has not been read yet.
            running: the jobs that hold it.
            ours: all jobs whose processes are not foreign.
            fault: why it cannot be looked at; empty if it can.
        """
        self._fault = fault
        self.server = server
        self.state = status.verdict.state if status else State.DOWN
        self._verdict = status.verdict if status else None
        self._snapshot = status.snapshot if status else None
        faults = status.faults if status else ()
        self._connection_faults = [fault for fault in faults if fault.kind == "connection"]
        self._missing = [gpu.index for gpu in status.missing_gpus] if status else []
        self._running = list(running)
        self._ours = ours
        self._units = self._read_units()

    @property
    def rank(self) -> tuple[int, int, float, str]:
        """Orders servers, the best for the next job first: state, free GPUs, their memory, name."""
        sound = [unit for unit in self._units if not self._unit_fault(unit)]
        free = [unit for unit in sound if not unit.jobs and not self._users(unit)]
        memory = max((unit.memory_gib or 0 for unit in free), default=0)
        return list(State).index(self.state), -len(free), -memory, self.server.name

    def running_of(self, person: str, *, has_gpus: bool) -> int:
        """How many jobs of that person run on the server, with GPUs or without."""
        return sum(job.person == person and job.has_gpus == has_gpus for job in self._running)

    def take(self, job: Job, gpus: Sequence[AssignedGpu], limits: Limits | None) -> None:
        """The job runs here from now on."""
        placed = {"server": self.server.name, "assigned": tuple(gpus), "limits": limits}
        self._running.append(job.model_copy(update=placed))
        for unit in self._units:
            if unit.reading.uuid in {gpu.uuid for gpu in gpus}:
                unit.jobs.append(job)

    def gpus_needed(self, job: Job) -> int:
        """How many GPUs the job takes here."""
        if job.gpus is not None:
            return job.gpus
        if self.server.gpus is not None:
            return int(bool(self.server.gpus))
        # GPUs that are missing are waited for: the job must not run without.
        return int(bool(self._snapshot and self._snapshot.gpus) or bool(self._missing))

    def fit(self, job: Job, reserved: Mapping[int, str]) -> tuple[AssignedGpu, ...] | str:
        """The GPUs for the job, or why it cannot start here now. `reserved` says who has which GPU reserved."""
        if closed := self.closed(job):
            return closed
        need = self.gpus_needed(job)
        if need == 0:
            return self._obstacle_for_cpu_job(job) or ()
        free = [unit for unit in self._units if not self._obstacle(unit, job, reserved)]
        if need > 1:  # CUDA shows a process one MIG instance at most
            free = [unit for unit in free if unit.gpu.instances is None]
        if len(free) < need:
            return self._shortage(job, need, len(free), reserved)
        # The sort is stable: the order of preference decides between units with equally many jobs.
        return tuple(unit.assigned for unit in sorted(free, key=lambda unit: len(unit.jobs))[:need])

    def limits(self, job: Job, cells: int) -> Limits | None:
        """What the job, which fits, may use. So many `cells` are to share the processors from now on, it included."""
        limits = Limits(
            threads=self.server.threads, memory_gib=self.server.memory_gib, hours=self.server.hours
        )
        if self._most_cells > 1 and job.is_cell and not self.gpus_needed(job):
            at_once = min(self._most_cells, len(self._cpu_jobs) + cells)
            share = max(1, min(self.processors // at_once, self._free_processors))
            limits = limits.model_copy(update={"threads": share if share < self.processors else None})
        return None if limits == Limits() else limits

    def could_fit(self, job: Job, reserved: Mapping[int, str]) -> bool:
        """Whether the job fits once the jobs that run here have ended."""
        alone = [Unit(unit.reading, unit.gpu, unit.others) for unit in self._units]
        free = [unit for unit in alone if not self._obstacle(unit, job, reserved)]
        return len(free) >= self.gpus_needed(job)

    def never(self, needs: Resources) -> str:
        """Why no such job can ever run here as servers.toml and the GPUs are now; empty if it can."""
        name, need, memory_gib = self.server.name, needs.gpus or 0, needs.gpu_memory_gib or 0
        allowed = self.server.gpus
        count = len(allowed) if allowed is not None else None
        if self._snapshot and self._snapshot.gpus is not None:
            count = len(self._units)
        if count is not None and need > count:
            return f"{name} has {_gpus(count)} for jobs, {need} are needed"
        largest = max((unit.memory_gib or 0 for unit in self._units), default=0)
        if largest and memory_gib > largest:
            return f"no GPU of {name} has {memory_gib:g} GiB: the largest has {largest:.0f} GiB"
        return ""

    def _read_units(self) -> list[Unit]:
        """In the order in which jobs take them; of GPUs that servers.toml names, those that are there."""
        by_index = {gpu.index: gpu for gpu in (self._snapshot.gpus if self._snapshot else None) or ()}
        order = self.server.gpus if self.server.gpus is not None else sorted(by_index)
        units: list[Unit] = []
        for gpu in [by_index[index] for index in order if index in by_index]:
            parts = [gpu] if gpu.instances is None else gpu.instances
            units += [Unit(part, gpu, self._others(part)) for part in parts]
        for unit in units:
            unit.jobs = [
                job
                for job in self._running
                if any(gpu.uuid == unit.reading.uuid for gpu in job.assigned or ())
            ]
        return units

    def _others(self, part: GpuInstance) -> list[str] | None:
        if not foreign_use(part, self._ours):
            return None
        foreign = (process for process in computing(part) if process.job not in self._ours)
        return sorted({process.user or _UNKNOWN_USER for process in foreign})

    def closed(self, job: Job) -> str:
        """Why the server takes no job at all, or none of this kind."""
        name, verdict = self.server.name, self._verdict
        if self._fault:
            return self._fault
        if verdict is None:
            return f"{name} has not been read yet"
        has_none = self._snapshot and self._snapshot.gpus == () and not self._missing
        if job.gpus and has_none:  # which is no question of now
            return self.never(job.resources)
        if self.state in _CLOSED:
            state = "in maintenance" if self.state is State.MAINTENANCE else self.state
            return f"{name} is {state}: {verdict.reason}"
        host, gpus = self._snapshot and self._snapshot.host, self._snapshot and self._snapshot.gpus
        faults = [*self._connection_faults, *(host_faults(host) if host else ())]
        is_full = any(not fault.is_warning for fault in faults) or (host and memory_is_full(host))
        if is_full or (gpus is None and job.gpus != 0):
            return f"{name} is {self.state}: {verdict.reason}"
        return ""

    @property
    def _cpu_jobs(self) -> list[Job]:
        return [job for job in self._running if not job.has_gpus]

    @property
    def processors(self) -> int:
        return (self._snapshot and self._snapshot.host and self._snapshot.host.cpu_count) or 1

    @property
    def _most_cells(self) -> int:
        """How many trainings of sweeps share the processors at most.

        With one thread each they are ready sooner than one after the other with all threads: what a training does
        beside its steps uses one. Memory that is left is counted for all of them, as some may have started since it was
        read: rather one training less than a server that runs out of memory.
        """
        if self.server.cpu_jobs is not None or self.server.threads is not None:
            return 1
        host = self._snapshot.host if self._snapshot else None
        return min(self.processors, int((host.memory_available_mib or 0) if host else 0) // _MIB_PER_CELL)

    @property
    def _free_processors(self) -> int:
        """Those that no CPU job was given."""
        taken = [(job.limits and job.limits.threads) or self.processors for job in self._cpu_jobs]
        return self.processors - sum(taken)

    def _obstacle_for_cpu_job(self, job: Job) -> str:
        people = [one.requested_by for one in self._cpu_jobs]
        if len(people) < (1 if self.server.cpu_jobs is None else self.server.cpu_jobs):
            return ""
        if not people:
            return f"{self.server.name} takes no CPU jobs"
        if job.is_cell and len(people) < self._most_cells and self._free_processors > 0:
            return ""
        if len(people) == 1:
            return f"a CPU job of {name_of(people[0])} runs on this server"
        return f"{len(people)} CPU jobs run on this server ({_counted(people)})"

    def _unit_fault(self, unit: Unit) -> str:
        """Why no person's job may use the unit."""
        if faults := [fault.what for fault in gpu_faults(unit.gpu) if not fault.is_warning]:
            return faults[0]
        if not unit.reading.uuid:
            return f"{unit.label} has no UUID"
        return ""

    def _users(self, unit: Unit) -> list[str]:
        """Who uses the unit so that it takes no further job; empty if it takes one."""
        if any(job.assigned is None for job in self._running):  # of an older release: it sees every GPU
            return [job.requested_by for job in self._running if job.assigned is None]
        people = [job.requested_by for job in unit.jobs]
        if unit.others is not None:
            return [*people, *unit.others] or [_UNKNOWN_USER]
        return people if len(people) >= self.server.jobs_per_gpu else []

    def _obstacle(self, unit: Unit, job: Job, reserved: Mapping[int, str]) -> str:
        """Why the unit does not take the job; empty if it does."""
        if fault := self._unit_fault(unit):
            return fault
        if self._users(unit):
            return f"{unit.label} in use"
        if not is_settled(unit.reading):
            return f"{unit.label} was in use a moment ago"
        if unit.gpu.index in reserved:
            return f"{unit.label} reserved by {reserved[unit.gpu.index]}"
        total, needed = unit.memory_gib, job.gpu_memory_gib or 0
        if total is not None and needed + unit.promised_gib > total:
            return f"{unit.label} has {total - unit.promised_gib:.0f} GiB left, {needed:g} are needed"
        return ""

    def _shortage(self, job: Job, need: int, free: int, reserved: Mapping[int, str]) -> str:
        """`all 8 GPUs in use (kim 3, lee 5)`, or what else keeps the job from each GPU."""
        if never := self.never(job.resources):
            return never
        faulty = {id(unit) for unit in self._units if self._unit_fault(unit)}
        used = [unit for unit in self._units if id(unit) not in faulty and self._users(unit)]
        users = [user for unit in used for user in self._users(unit)]
        count = len(self._units)
        there = {unit.gpu.index for unit in self._units}
        wanted = self._missing if self.server.gpus is None else self.server.gpus
        gone = [f"GPU {index}" for index in wanted if index not in there]
        if count and len(used) == count and not gone:
            which = {1: "the GPU is", 2: "both GPUs"}.get(count, f"all {count} GPUs")
            return f"{which} in use ({_counted(users) if count > 1 else listed([*_counts(users)])})"
        parts = [f"{listed(gone)} missing"] if gone else []
        parts += [f"{free} of {_gpus(count)} free, {need} needed"] if free else []
        if used:
            parts.append(f"{len(used)} of {_gpus(count)} in use ({_counted(users)})")
        others = [unit for unit in self._units if unit not in used]
        parts += dict.fromkeys(why for unit in others if (why := self._obstacle(unit, job, reserved)))
        return "; ".join(parts) or f"{self.server.name} has no GPU that jobs may use"


def _counted(people: Sequence[str]) -> str:
    """`kim 3, lee 5`."""
    return listed([f"{person} {count}" for person, count in sorted(_counts(people).items())])


def _counts(people: Sequence[str]) -> dict[str, int]:
    """How often each is named, by the first spelling: `Lee` on the page is the login `lee`."""
    spelled = {person_of(person): name_of(person) for person in reversed(people)}
    return {spelled[person]: count for person, count in Counter(map(person_of, people)).items()}


def _gpus(count: int) -> str:
    return f"{count or 'no'} GPU{'s' * (count != 1)}"
