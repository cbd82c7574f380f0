"""The past of one server, summarized: `follow` adds a snapshot, and the summary stays small. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from backend.probe.snapshot import Failure, HostReading, Part, Snapshot
from backend.servers.overload import CLEARED, strain_levels, urgent_signs
from backend.servers.state import State
from backend.servers.use import gpu_key, is_held_by_no_process, is_unused, use_of

SUSTAINED_SECONDS = 120
SILENT = (Failure.UNREACHABLE, Failure.AGENT_DOWN)
ROUNDS = 20
"""How many of the last rounds are remembered."""
_FEW_ANSWERS, _RETURNS = ROUNDS // 4, 3
_MANY_REBOOTS, _MOST_REBOOTS = 3, 20
_RECENT = timedelta(hours=1)
_SAME_START = timedelta(minutes=2)  # the start is computed from a clock that is corrected now and then


@dataclass(frozen=True)
class Past:
    """A summary of one server's snapshots so far."""

    read_at: datetime | None = None
    answer: Snapshot | None = None
    """The newest that is not a failure."""
    failure: Failure | None = None
    """Why the newest snapshot is a failure, if it is one; `failure_text` has it in words."""
    failure_text: str = ""
    failing_since: datetime | None = None
    silent_tries: int = 0
    """Failed rounds in a row without any answer."""
    rounds: tuple[bool, ...] = ()
    """Whether the server answered, in each of the last rounds."""
    strained_since: Mapping[str, datetime] = field(default_factory=dict)
    """The signs of overload above their threshold, and since when."""
    overloaded: frozenset[str] = frozenset()
    """The signs that have lasted for `SUSTAINED_SECONDS`, or need one reading alone."""
    is_urgent: bool = False
    """Whether one of them needed one reading alone."""
    used_at: Mapping[str, datetime] = field(default_factory=dict)
    """When each GPU and instance, by UUID or index, was last in use."""
    unowned_since: Mapping[int, datetime] = field(default_factory=dict)
    """The GPUs, by index, whose memory no process holds, and since when."""
    slowed_since: Mapping[int, datetime] = field(default_factory=dict)
    """The GPUs, by index, that are slowed by heat or power, and since when."""
    fault_since: datetime | None = None
    """Since when the GPU driver gives no readings at all."""
    most_gpus: int = 0
    """How many GPUs it had at once, in any answer."""
    reboots: tuple[datetime, ...] = ()
    """When it was noticed that it had started again, within the last hour."""
    rebooted_at: datetime | None = None
    """When the server started again while it was followed."""
    away_since: datetime | None = None
    """Its last answer before that."""
    use: State | None = None
    use_since: datetime | None = None

    @property
    def is_unsteady(self) -> bool:
        """Whether it answers now and then, and fails most of the time."""
        return self.is_shaky and sum(self.rounds) <= _FEW_ANSWERS

    @property
    def is_shaky(self) -> bool:
        """Whether it fails more often than it answers, and comes back again and again."""
        returns = sum(now and not before for before, now in zip(self.rounds, self.rounds[1:], strict=False))
        return len(self.rounds) == ROUNDS and sum(self.rounds) < ROUNDS / 2 and returns >= _RETURNS

    @property
    def restarts(self) -> bool:
        """Whether it starts again and again."""
        return len(self.reboots) >= _MANY_REBOOTS


def stale_after(interval_seconds: float) -> timedelta:
    """The age at which a reading, taken every `interval_seconds`, no longer holds."""
    return timedelta(seconds=max(3 * interval_seconds, 45))


def past_of(snapshots: Iterable[Snapshot], interval_seconds: float) -> Past:
    """The past after all `snapshots` of one server, oldest first."""
    past = Past()
    for snapshot in snapshots:
        past = follow(past, snapshot, interval_seconds)
    return past


def follow(past: Past, snapshot: Snapshot, interval_seconds: float) -> Past:
    """The past after one more snapshot."""
    if snapshot.failure is None:
        return _answered(past, snapshot, interval_seconds)
    silent, rounds = past.silent_tries, past.rounds
    if snapshot.failure is not Failure.MONITOR:
        rounds = (*rounds, False)[-ROUNDS:]
        silent = silent + 1 if snapshot.failure in SILENT else 0  # otherwise it answered
    since = past.failing_since if past.failing_since and past.failing_since <= snapshot.at else snapshot.at
    return replace(
        past,
        read_at=snapshot.at,
        failure=snapshot.failure,
        failure_text=snapshot.failure_text or snapshot.failure,
        failing_since=since,
        silent_tries=silent,
        rounds=rounds,
    )


def _answered(past: Past, snapshot: Snapshot, interval_seconds: float) -> Past:
    at, before = snapshot.at, past.answer
    if before and at < before.at:
        past = Past()  # the clock was set back: no earlier time can be compared
    elif before and at - before.at > stale_after(interval_seconds):
        # Nothing is known of the gap: a sign that had not lasted yet starts again.
        lasting = {sign: since for sign, since in past.strained_since.items() if sign in past.overloaded}
        past = replace(past, strained_since=lasting, used_at={}, unowned_since={})
    strained, overloaded, is_urgent = _strain(past, snapshot)
    has_rebooted = before is not None and _has_rebooted(before, snapshot)
    snapshot, used_at = _settled(past, snapshot)
    use = use_of(snapshot, past.use)
    reboots = (*past.reboots, at) if has_rebooted else past.reboots
    gpus = snapshot.gpus or ()
    return Past(
        read_at=at,
        answer=snapshot,
        rounds=(*past.rounds, True)[-ROUNDS:],
        strained_since=strained,
        overloaded=overloaded,
        is_urgent=is_urgent,
        used_at=used_at,
        unowned_since={
            gpu.index: past.unowned_since.get(gpu.index, at) for gpu in gpus if is_held_by_no_process(gpu)
        },
        slowed_since={
            gpu.index: past.slowed_since.get(gpu.index, at) for gpu in gpus if gpu.throttle_reasons
        },
        fault_since=_fault_since(past, snapshot),
        most_gpus=max(past.most_gpus, len(gpus)),
        reboots=tuple(noticed for noticed in reboots if at - noticed < _RECENT)[-_MOST_REBOOTS:],
        rebooted_at=_booted_at(snapshot) if has_rebooted else past.rebooted_at,
        away_since=before.at if has_rebooted and before else past.away_since,
        use=use,
        use_since=past.use_since if use is past.use else at,
    )


def _has_rebooted(before: Snapshot, snapshot: Snapshot) -> bool:
    old, new = before.host or HostReading(), snapshot.host or HostReading()
    if old.boot_id and new.boot_id:
        return old.boot_id != new.boot_id
    if old.booted_at and new.booted_at:
        return new.booted_at - old.booted_at > _SAME_START
    return False


def _booted_at(snapshot: Snapshot) -> datetime:
    """Never before 1970 nor after the reading, whatever the server says."""
    booted = snapshot.host.booted_at if snapshot.host else None
    return min(booted or snapshot.at, snapshot.at)


def _fault_since(past: Past, snapshot: Snapshot) -> datetime | None:
    if not snapshot.gpu_fault:
        return None
    return past.fault_since or snapshot.at - timedelta(seconds=snapshot.gpu_fault_seconds or 0)


def _strain(past: Past, snapshot: Snapshot) -> tuple[dict[str, datetime], frozenset[str], bool]:
    levels, urgent = strain_levels(snapshot), urgent_signs(snapshot, past.overloaded)
    strained, overloaded = {}, set(urgent)
    for sign in {**levels, **dict.fromkeys(urgent)}:
        if sign not in urgent and levels[sign] < (CLEARED if sign in past.overloaded else 1):
            continue
        strained[sign] = past.strained_since.get(sign, snapshot.at)
        if snapshot.at - strained[sign] >= timedelta(seconds=SUSTAINED_SECONDS) or sign in past.overloaded:
            overloaded.add(sign)
    return strained, frozenset(overloaded), bool(urgent)


def _settled(past: Past, snapshot: Snapshot) -> tuple[Snapshot, dict[str, datetime]]:
    """The snapshot with `unused_seconds` of all GPUs and instances, and when each one was last in use."""
    used_at: dict[str, datetime] = {}

    def settled(part: Part, key: str) -> Part:
        last = past.used_at.get(key) if is_unused(part) else snapshot.at
        if last is None:
            return part.model_copy(update={"unused_seconds": None})
        used_at[key] = last
        return part.model_copy(update={"unused_seconds": (snapshot.at - last).total_seconds()})

    gpus = []
    for gpu in snapshot.gpus or ():
        parts = gpu.instances and tuple(
            settled(part, part.uuid or f"{gpu_key(gpu)}.{place}") for place, part in enumerate(gpu.instances)
        )
        gpus.append(settled(gpu, gpu_key(gpu)).model_copy(update={"instances": parts}))
    return snapshot.model_copy(update={"gpus": tuple(gpus)}) if gpus else snapshot, used_at
