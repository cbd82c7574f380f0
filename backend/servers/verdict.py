"""Verdicts from snapshots: which server to take, which not, and why. Pure.

A `Past` summarizes the snapshots so far and stays small: `follow` adds one, `judge` gives the verdict at a
moment. The thresholds are those of sustained contention, not of high use: a GPU at 100 % is busy, a server
on which work stands still is overloaded.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from backend.probe.snapshot import Failure, HostReading, Part, Snapshot
from backend.servers import reasons
from backend.servers.state import ServerStatus, State, Verdict
from backend.servers.use import free_gpus, is_idle_but_held, is_unused, use_of
from backend.times import clock

SUSTAINED_SECONDS = 120
CLEARED = 0.8  # of the threshold
TRIES = 3  # failed rounds in a row, each with a retry, before a server counts as down
HELD_IDLE_SECONDS = 600

_SILENT = (Failure.UNREACHABLE, Failure.AGENT_DOWN)


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
    strained_since: Mapping[str, datetime] = field(default_factory=dict)
    """The signs of overload above their threshold, and since when."""
    overloaded: frozenset[str] = frozenset()
    """The signs that have lasted for `SUSTAINED_SECONDS`."""
    unused_since: Mapping[str, datetime] = field(default_factory=dict)
    """The GPUs and their instances that nothing uses, by UUID or index, and since when."""
    idle_since: Mapping[int, datetime] = field(default_factory=dict)
    """The GPUs, by index, whose memory is held while nothing runs, and since when."""
    fault_since: datetime | None = None
    """Since when the GPU driver gives no readings at all."""
    use: State | None = None
    use_since: datetime | None = None


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
    silent = past.silent_tries
    if snapshot.failure in _SILENT:
        silent += 1
    elif snapshot.failure is not Failure.MONITOR:
        silent = 0  # it answered
    since = past.failing_since if past.failing_since and past.failing_since <= snapshot.at else snapshot.at
    return replace(
        past,
        read_at=snapshot.at,
        failure=snapshot.failure,
        failure_text=snapshot.failure_text or snapshot.failure,
        failing_since=since,
        silent_tries=silent,
    )


def _answered(past: Past, snapshot: Snapshot, interval_seconds: float) -> Past:
    at, before = snapshot.at, past.answer
    if before and at < before.at:
        past = Past()  # the clock was set back: no earlier time can be compared
    elif before and at - before.at > stale_after(interval_seconds):
        # Nothing is known of the gap: a sign that had not lasted yet starts again.
        lasting = {sign: since for sign, since in past.strained_since.items() if sign in past.overloaded}
        past = replace(past, answer=None, strained_since=lasting, unused_since={}, idle_since={})
    strained, overloaded = _strain(past, snapshot)
    snapshot, unused_since = _settled(past, snapshot)
    use = use_of(snapshot, past.use)
    return Past(
        read_at=at,
        answer=snapshot,
        strained_since=strained,
        overloaded=overloaded,
        unused_since=unused_since,
        idle_since={
            gpu.index: past.idle_since.get(gpu.index, at)
            for gpu in snapshot.gpus or ()
            if is_idle_but_held(gpu)
        },
        fault_since=_fault_since(past, snapshot),
        use=use,
        use_since=past.use_since if use is past.use else at,
    )


def _settled(past: Past, snapshot: Snapshot) -> tuple[Snapshot, dict[str, datetime]]:
    """The snapshot with `unused_seconds` of all GPUs and instances, and since when each one is unused."""
    since: dict[str, datetime] = {}

    def settled(part: Part, key: str) -> Part:
        if not is_unused(part):
            return part.model_copy(update={"unused_seconds": 0.0})
        since[key] = past.unused_since.get(key, snapshot.at)
        seconds = (snapshot.at - since[key]).total_seconds() if past.answer else None
        return part.model_copy(update={"unused_seconds": seconds})

    gpus = []
    for gpu in snapshot.gpus or ():
        whole, parts = settled(gpu, gpu.uuid or f"GPU {gpu.index}"), gpu.instances
        if parts:
            parts = tuple(
                settled(part, part.uuid or f"GPU {gpu.index}.{place}") for place, part in enumerate(parts)
            )
        gpus.append(whole.model_copy(update={"instances": parts}))
    return snapshot.model_copy(update={"gpus": tuple(gpus)}) if gpus else snapshot, since


def _fault_since(past: Past, snapshot: Snapshot) -> datetime | None:
    if not snapshot.gpu_fault:
        return None
    return past.fault_since or snapshot.at - timedelta(seconds=snapshot.gpu_fault_seconds or 0)


def _strain(past: Past, snapshot: Snapshot) -> tuple[dict[str, datetime], frozenset[str]]:
    strained, overloaded = {}, set()
    for sign, level in strain_levels(snapshot.host or HostReading()).items():
        if level < (CLEARED if sign in past.overloaded else 1):
            continue
        strained[sign] = past.strained_since.get(sign, snapshot.at)
        if snapshot.at - strained[sign] >= timedelta(seconds=SUSTAINED_SECONDS):
            overloaded.add(sign)
    return strained, frozenset(overloaded)


def strain_levels(host: HostReading) -> dict[str, float]:
    """The level of each known sign of overload, 1 at its threshold."""
    pressure, levels = host.pressure, {}
    load = host.load_1min / host.cpu_count if host.load_1min is not None and host.cpu_count else None
    if pressure.memory_full_percent is not None:
        levels["memory pressure"] = pressure.memory_full_percent / 10
    if pressure.io_full_percent is not None:
        levels["disk pressure"] = pressure.io_full_percent / 20
    if pressure.cpu_some_percent is not None and load is not None:
        levels["CPU pressure"] = min(pressure.cpu_some_percent / 50, load / 1.5)
    if pressure.cpu_some_percent is None and load is not None:
        levels["load"] = load / 2  # kernels without pressure accounting
    if host.memory_used_fraction is not None:
        levels["memory"] = 0.1 / max(1 - host.memory_used_fraction, 0.001)
    return levels


def judge(past: Past, at: datetime, interval_seconds: float) -> Verdict:
    """The verdict at `at` on a server that is read every `interval_seconds`.

    Times of day in the reason are in the time zone of `at`.
    """
    limit = stale_after(interval_seconds)
    if past.read_at and at - past.read_at > limit:
        reason = f"no reading since {clock(past.read_at, at)}"
        return Verdict(state=State.STALE, reason=reason, since=past.read_at)
    is_down = past.silent_tries >= TRIES
    if past.failure and (is_down or past.answer is None or at - past.answer.at > limit):
        since = past.failing_since or at
        reason = f"{past.failure_text} since {clock(since, at)}"
        if past.failure in _SILENT:
            reason += f", {past.silent_tries} {'try' if past.silent_tries == 1 else 'tries'}"
        return Verdict(state=State.DOWN if is_down else State.STALE, reason=reason, since=since)
    if past.answer is None:
        return Verdict(state=State.STALE, reason="no reading yet")
    return _answering(past, past.answer, at)


def _answering(past: Past, answer: Snapshot, at: datetime) -> Verdict:
    state = past.use or State.BUSY
    since, parts = past.use_since, []
    if past.overloaded:
        state = State.OVERLOADED
        lasting = {sign: since for sign, since in past.strained_since.items() if sign in past.overloaded}
        since = min(lasting.values())
        parts = reasons.overload(answer.host, lasting, at)
    parts += reasons.use(answer, past.fault_since, at)
    held = {
        index: since
        for index, since in past.idle_since.items()
        if (at - since).total_seconds() >= HELD_IDLE_SECONDS
    }
    parts += reasons.held_idle(answer, held, at)
    parts += reasons.reboot(answer, at)
    return Verdict(state=state, reason="; ".join(parts), since=since)


def suggest(statuses: Sequence[ServerStatus]) -> list[ServerStatus]:
    """All servers, the best to take first. The first is marked as suggested if it has room.

    Servers with free GPUs and no reservation come first, then others that can be taken, then all others by
    state. Ties are broken by values that seldom change, so that rows keep their places: free GPUs, their
    memory, cores, name.
    """
    ordered = sorted(statuses, key=_rank)
    return [
        status.model_copy(update={"suggested": place == 0 and _is_takeable(status)})
        for place, status in enumerate(ordered)
    ]


def _free_gpus_mib(status: ServerStatus) -> list[float]:
    gpus = (status.snapshot.gpus if status.snapshot else None) or ()
    return [part.memory_total_mib or 0 for part in free_gpus(gpus)]


def _is_takeable(status: ServerStatus) -> bool:
    state = status.verdict.state
    has_room = state is State.IDLE or (state is State.BUSY and bool(_free_gpus_mib(status)))
    return has_room and not status.reserved


def _rank(status: ServerStatus) -> tuple[bool, bool, int, int, float, int, str]:
    free = _free_gpus_mib(status)
    host = status.snapshot.host if status.snapshot else None
    return (
        not (free and _is_takeable(status)),
        not _is_takeable(status),
        list(State).index(status.verdict.state),
        -len(free),
        -max(free, default=0),
        -((host.cpu_count if host else None) or 0),
        status.name,
    )
