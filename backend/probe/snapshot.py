"""One Server at one moment, and what that means.

Units are in the names. What is not known is None, never 0.
"""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict


class _Reading(BaseModel):
    model_config = ConfigDict(frozen=True)


class Pressure(_Reading):
    """Linux pressure stall information: per cent of the last 60 s in which work stood still."""

    cpu_some_percent: float | None = None
    memory_full_percent: float | None = None
    io_full_percent: float | None = None


class Process(_Reading):
    """One of the processes that use most of a server."""

    pid: int
    user: str | None = None
    command: str | None = None
    cpu_percent: float | None = None
    memory_mib: float | None = None


class HostReading(_Reading):
    cpu_percent: float | None = None
    cpu_count: int | None = None
    load_1min: float | None = None
    memory_total_mib: float | None = None
    memory_available_mib: float | None = None
    swap_used_mib: float | None = None
    disk_free_gib: float | None = None
    pressure: Pressure = Pressure()
    booted_at: AwareDatetime | None = None
    top: tuple[Process, ...] = ()

    @property
    def memory_used_fraction(self) -> float | None:
        if not self.memory_total_mib or self.memory_available_mib is None:
            return None
        return 1 - self.memory_available_mib / self.memory_total_mib


class GpuProcess(_Reading):
    pid: int
    user: str | None = None
    command: str | None = None
    memory_mib: float | None = None


class GpuReading(_Reading):
    """One GPU; `fault` says why it, or a part of it, could not be read."""

    index: int
    uuid: str | None = None
    name: str | None = None
    utilization_percent: float | None = None
    memory_used_mib: float | None = None
    memory_total_mib: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    throttle_reasons: tuple[str, ...] | None = None
    processes: tuple[GpuProcess, ...] | None = None
    fault: str | None = None

    @property
    def memory_used_fraction(self) -> float | None:
        if not self.memory_total_mib or self.memory_used_mib is None:
            return None
        return self.memory_used_mib / self.memory_total_mib


class Failure(StrEnum):
    """Why a server could not be read."""

    UNREACHABLE = "unreachable"  # no answer from the machine
    AGENT_DOWN = "agent_down"  # the machine answers, its agent does not
    REFUSED = "refused"  # the agent does not accept our token
    BROKEN = "broken"  # the agent answers something that is no snapshot
    MONITOR = "monitor"  # no server answers at all: the fault is the monitor's own


class Snapshot(_Reading):
    """What one server said, or why it said nothing. A failed server is data, not an exception."""

    server: str
    at: AwareDatetime
    host: HostReading | None = None
    gpus: tuple[GpuReading, ...] | None = None
    gpu_fault: str | None = None
    gpu_fault_seconds: float | None = None
    """How long the driver has not answered, where that is its fault."""
    failure: Failure | None = None
    failure_text: str | None = None

    @property
    def users(self) -> list[str]:
        """Who uses the GPUs, by name."""
        return sorted({p.user for gpu in self.gpus or () for p in gpu.processes or () if p.user})

    @property
    def gpu_faults(self) -> list[str]:
        """What does not work, GPU by GPU, or the driver."""
        faults = [f"GPU {gpu.index} {gpu.fault}" for gpu in self.gpus or () if gpu.fault]
        return [self.gpu_fault, *faults] if self.gpu_fault else faults
