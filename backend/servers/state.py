"""What a server is good for now: its state, with a reason."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict

from backend.probe.snapshot import Snapshot


class State(StrEnum):
    """What a server is good for, the one to take first."""

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
    """What everybody is shown of a server. The numbers of one that is stale or down are blank."""

    model_config = ConfigDict(frozen=True)

    name: str
    verdict: Verdict
    snapshot: Snapshot | None = None
    seen_at: AwareDatetime | None = None
    """When it last answered."""
    suggested: bool = False
    """Whether it is the one to take."""
    trains: bool = True
    """Whether trainings can be launched on it; others are only watched."""
    last_hour: tuple[float | None, ...] = ()
    """Use in per cent, evenly spaced over the last hour: of its GPUs, or of its CPU where it has none."""
    reserved: str | None = None
    """Who has reserved it now, and until when."""
