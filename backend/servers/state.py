"""The state of a server, with a reason."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict

from backend.probe.snapshot import Snapshot


class State(StrEnum):
    """The states of a server, the best to take first."""

    IDLE = "idle"
    BUSY = "busy"
    FULL = "full"
    OVERLOADED = "overloaded"
    STALE = "stale"
    DOWN = "down"
    MAINTENANCE = "maintenance"


class Verdict(BaseModel):
    model_config = ConfigDict(frozen=True)

    state: State
    reason: str
    since: AwareDatetime | None = None


class ServerStatus(BaseModel):
    """A server as it is shown. The numbers of one that is stale or down are left out."""

    model_config = ConfigDict(frozen=True)

    name: str
    verdict: Verdict
    snapshot: Snapshot | None = None
    seen_at: AwareDatetime | None = None
    """When it last answered."""
    suggested: bool = False
    """Whether it is the best one to take."""
    trains: bool = True
    """Whether jobs can be launched on it; other servers are only watched."""
    last_hour: tuple[float | None, ...] = ()
    """Use in per cent, evenly spaced over the last hour: of its GPUs, or of its CPU where it has none."""
    reserved: str | None = None
    """Who has reserved it now, and until when; None: it is not reserved."""
