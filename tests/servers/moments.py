"""Snapshots of a server, and its verdict after each of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.probe.snapshot import (
    Failure,
    GpuInstance,
    GpuProcess,
    GpuReading,
    HostReading,
    Pressure,
    Snapshot,
)
from backend.servers.past import Past, follow, past_of
from backend.servers.state import State, Verdict
from backend.servers.verdict import judge

START = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
INTERVAL = 15.0


WORDS = {
    Failure.UNREACHABLE: "not reachable",
    Failure.AGENT_DOWN: "agent not answering",
    Failure.REFUSED: "agent refuses our token",
    Failure.BROKEN: "agent's answer cannot be read",
    Failure.MONITOR: "no server is reachable",
}


def moment(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def answer(
    at: float,
    gpus: tuple[GpuReading, ...] | None = (),
    *,
    gpu_fault: str | None = None,
    cpu: float | None = 5,
    available: float = 0.8,
    load: float = 0.5,
    cpu_some: float | None = 0,
    memory_full: float | None = 0,
    io_full: float | None = 0,
    booted: float = -1e6,
    other_gpus: dict[str, int] | None = None,
    not_answering: dict[str, float] | None = None,
    hidden: tuple[str, ...] = (),
    swap: float | None = None,
    total: float = 102400,
    stall: float | None = None,
    boot_id: str | None = None,
    **more: Any,
) -> Snapshot:
    """Ten cores and 100 GiB; load is given for each core, `available` as a fraction, `stall` over 10 s."""
    host = HostReading(
        cpu_percent=cpu,
        cpu_count=10,
        load_1min=10 * load,
        memory_total_mib=total,
        memory_available_mib=total * available,
        swap_mib_per_second=swap,
        pressure=Pressure(
            cpu_some_percent=cpu_some,
            memory_full_percent=memory_full,
            memory_full_10s_percent=stall,
            io_full_percent=io_full,
        ),
        boot_id=boot_id,
        booted_at=moment(booted),
        not_answering=not_answering or {},
        hidden=hidden,
        **more,
    )
    return Snapshot(
        server="ada",
        at=moment(at),
        host=host,
        gpus=gpus,
        gpu_fault=gpu_fault,
        other_gpus=other_gpus or {},
    )


def failure(at: float, kind: Failure) -> Snapshot:
    return Snapshot(server="ada", at=moment(at), failure=kind, failure_text=WORDS[kind])


def instances(count: int, used: int) -> tuple[GpuInstance, ...]:
    """Of a divided GPU; one process each on the first ones."""
    processes = [(GpuProcess(pid=1000 + place),) if place < used else () for place in range(count)]
    return tuple(
        GpuInstance(memory_used_mib=1000.0 * len(some), memory_total_mib=9728, processes=some)
        for some in processes
    )


def gpu(
    index: int, use: float | None, memory: float | None, user: str | None = None, **more: object
) -> GpuReading:
    """`memory` as a fraction of 80 GiB."""
    processes = (GpuProcess(pid=1000 + index, user=user),) if user else ()
    return GpuReading(
        index=index,
        utilization_percent=use,
        memory_used_mib=None if memory is None else memory * 81920,
        memory_total_mib=81920,
        **{"processes": processes, **more},
    )


def replay(trace: list[Snapshot], interval: float = INTERVAL) -> Iterator[tuple[float, State, str]]:
    """Seconds since the start, state and reason right after each snapshot."""
    past = Past()
    for snapshot in trace:
        past = follow(past, snapshot, interval)
        verdict = judge(past, snapshot.at, interval)
        yield (snapshot.at - START).total_seconds(), verdict.state, verdict.reason


def verdict_of(*trace: Snapshot, at: float | None = None) -> Verdict:
    return judge(past_of(trace, INTERVAL), trace[-1].at if at is None else moment(at), INTERVAL)


def states(trace: list[Snapshot]) -> list[State]:
    return [state for _, state, _ in replay(trace)]


NO_PRESSURE: dict[str, Any] = {"cpu_some": None, "memory_full": None, "io_full": None}
FREE = (gpu(0, 0, 0.01), gpu(1, 0, 0.01))
HALF = (gpu(0, 98, 0.5, "lee"), gpu(1, 0, 0.01))
