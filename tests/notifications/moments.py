"""A server in a state, and moments at which it is looked at."""

from datetime import UTC, datetime, timedelta

from backend.probe.snapshot import GpuReading, Snapshot
from backend.servers.state import Fault, ServerStatus, State, Verdict

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
IDLE, BUSY, OVERLOADED, STALE, DOWN, MAINTENANCE = (
    State.IDLE, State.BUSY, State.OVERLOADED, State.STALE, State.DOWN, State.MAINTENANCE
)  # fmt: skip


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def server(state: State, *faults: str, reserved: str | None = None) -> ServerStatus:
    gpus = tuple(GpuReading(index=index, fault=fault) for index, fault in enumerate(faults))
    return ServerStatus(
        name="ada",
        verdict=Verdict(state=state, reason="so it is"),
        snapshot=None if state in (STALE, DOWN) else Snapshot(server="ada", at=NOON, gpus=gpus),
        faults=tuple(
            Fault(kind="gpu", what=f"GPU {index} {fault}") for index, fault in enumerate(faults) if fault
        ),
        reserved=reserved,
    )
