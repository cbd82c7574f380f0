"""Servers with GPUs, as placement sees them."""

from collections.abc import Mapping, Sequence

from backend.probe.snapshot import GpuInstance, GpuProcess, GpuReading, HostReading, Snapshot
from backend.servers.state import ServerStatus, State, Verdict
from backend.times import now

GPU_MIB = 80 * 1024


def gpu(index: int, users: Sequence[str] = (), jobs: Sequence[str] = (), **changes: object) -> GpuReading:
    """A GPU of 80 GiB with a process of each of `users`, and one of each of these jobs."""
    processes = [
        GpuProcess(pid=100 + number, user=user, memory_mib=20_000) for number, user in enumerate(users)
    ]
    processes += [GpuProcess(pid=900, user="backend", memory_mib=20_000, job=job) for job in jobs]
    plain = GpuReading(
        index=index,
        uuid=f"GPU-{index}",
        name="H100",
        utilization_percent=90 if processes else 0,
        memory_used_mib=20_000 * len(processes),
        memory_total_mib=GPU_MIB,
        processes=tuple(processes),
    )
    return plain.model_copy(update=changes)


def divided(index: int, users: Sequence[Sequence[str]]) -> GpuReading:
    """A GPU with a MIG instance for each of `users`."""
    parts = tuple(
        GpuInstance(
            uuid=f"MIG-{index}-{place}",
            memory_used_mib=0,
            memory_total_mib=10 * 1024,
            processes=tuple(GpuProcess(pid=1, user=user) for user in names),
        )
        for place, names in enumerate(users)
    )
    return gpu(index, instances=parts)


def server(
    name: str,
    gpus: Sequence[GpuReading] | None,
    state: State = State.BUSY,
    *,
    memory_used: float = 0.1,
    memory_gib: int = 64,
    cpu_count: int | None = None,
) -> ServerStatus:
    mib = memory_gib << 10
    host = HostReading(
        cpu_percent=1,
        cpu_count=cpu_count,
        memory_total_mib=mib,
        memory_available_mib=mib * (1 - memory_used),
    )
    return ServerStatus(
        name=name,
        verdict=Verdict(state=state, reason="why"),
        snapshot=Snapshot(server=name, at=now(), host=host, gpus=None if gpus is None else tuple(gpus)),
    )


def eight(users: Mapping[int, Sequence[str]]) -> list[GpuReading]:
    """Eight GPUs, some with processes of these users."""
    return [gpu(index, users.get(index, ())) for index in range(8)]
