"""The state of a server, with a reason."""

from enum import StrEnum
from typing import Literal

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
    urgent: bool = False
    """Whether the server may be gone before its next reading."""


class Fault(BaseModel):
    """Something that does not work on a server, or will soon not."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["gpu", "disk", "connection"]
    what: str
    """The same as long as the fault is the same."""
    part: str = ""
    """What `what` begins with, such as `GPU 3` or `/home`, where other parts may have the same fault."""
    detail: str = ""
    count: int | None = None
    """How many there are of `what`."""
    is_warning: bool = False
    """Whether work can go on."""

    @property
    def text(self) -> str:
        """Everything about it, such as `/home is full (1.2 GiB left)`."""
        return " ".join(str(part) for part in (self.count, self.what, self.detail) if part)


class KnownGpu(BaseModel):
    """A GPU that a server had at some time."""

    model_config = ConfigDict(frozen=True)

    index: int
    """The last one under which it was seen."""
    uuid: str
    name: str | None = None


class Held(BaseModel):
    """A GPU that is held and idle."""

    model_config = ConfigDict(frozen=True)

    since: AwareDatetime
    people: tuple[str, ...] = ()
    """Whose processes hold it; empty where no process does."""


class ServerStatus(BaseModel):
    """A server as it is shown. The numbers of one that is stale or down are left out."""

    model_config = ConfigDict(frozen=True)

    name: str
    verdict: Verdict
    snapshot: Snapshot | None = None
    last: Snapshot | None = None
    """What it answered last, where that does not hold any more."""
    seen_at: AwareDatetime | None = None
    """When it last answered."""
    rebooted_at: AwareDatetime | None = None
    """When it started again while it was followed."""
    faults: tuple[Fault, ...] = ()
    missing_gpus: tuple[KnownGpu, ...] = ()
    """GPUs that it had, until a person confirms that they are gone."""
    advice: tuple[str, ...] = ()
    """What an administrator could change, so that more is known of it."""
    suggested: bool = False
    """Whether it is the best one to take."""
    trains: bool = True
    """Whether jobs can be launched on it; other servers are only watched."""
    last_hour: tuple[float | None, ...] = ()
    """Use in per cent, evenly spaced over the last hour: of its GPUs, or of its CPU where it has none."""
    reserved: str | None = None
    """Who has reserved it now, and until when; None: it is not reserved."""
    reserved_gpus: tuple[int, ...] | None = None
    """Which of its GPUs are reserved; None: all, where it is reserved."""

    @property
    def is_reserved_whole(self) -> bool:
        return self.reserved is not None and self.reserved_gpus is None
