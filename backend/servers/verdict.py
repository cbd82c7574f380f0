"""Verdicts: which server to take, which not, and why. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from backend.probe.snapshot import Failure, Snapshot
from backend.servers import reasons
from backend.servers.faults import faults_of, texts
from backend.servers.past import ROUNDS, SILENT, Past, stale_after
from backend.servers.state import Fault, Held, KnownGpu, ServerStatus, State, Verdict
from backend.servers.use import free_gpus
from backend.times import clock

TRIES = 3  # failed rounds in a row, each with a retry, before a server counts as down
_MIB_PER_GIB = 1024


def judge(
    past: Past,
    at: datetime,
    interval_seconds: float,
    *,
    known_gpus: Sequence[KnownGpu] = (),
    held: Mapping[str, Held] | None = None,
) -> Verdict:
    """The verdict at `at`. Times of day in the reason are in the time zone of `at`.

    Args:
        past: of the server.
        at: now.
        interval_seconds: how often the server is read.
        known_gpus: all GPUs that it ever had.
        held: its GPUs that are held and idle, by UUID or index.
    """
    limit, answer = stale_after(interval_seconds), past.answer
    if past.read_at and at - past.read_at > limit:
        reason = f"no reading since {clock(past.read_at, at)}{reasons.before(answer)}"
        return Verdict(state=State.STALE, reason=reason, since=past.read_at)
    if past.is_unsteady and answer:
        count = f"answers only {sum(past.rounds)} of {ROUNDS} readings, the last at {clock(answer.at, at)}"
        return Verdict(state=State.STALE, reason=f"{count}{reasons.before(answer)}", since=past.failing_since)
    is_down = past.silent_tries >= TRIES
    if past.failure and (is_down or answer is None or at - answer.at > limit):
        since = past.failing_since or at
        reason = f"{past.failure_text} since {clock(since, at)}"
        if past.failure in SILENT:
            reason += f", {past.silent_tries} {'try' if past.silent_tries == 1 else 'tries'}"
        if past.failure is not Failure.MONITOR:
            reason += reasons.before(answer)
        return Verdict(state=State.DOWN if is_down else State.STALE, reason=reason, since=since)
    if answer is None:
        return Verdict(state=State.STALE, reason="no reading yet")
    return _answering(past, answer, at, faults(past, at, known_gpus), held or {})


def faults(past: Past, at: datetime, known_gpus: Sequence[KnownGpu] = ()) -> list[Fault]:
    """Everything that is wrong with a server, as its newest answer tells."""
    found = []
    if past.is_shaky:
        count = f"({sum(past.rounds)} of {ROUNDS} readings)"
        what = "answers only now and then"
        found.append(Fault(kind="connection", what=what, detail=count, is_warning=True))
    if past.restarts:
        count = f"({len(past.reboots)} times within an hour)"
        found.append(Fault(kind="connection", what="starts again and again", detail=count))
    if past.answer:
        found += faults_of(
            past.answer,
            at,
            slowed_since=past.slowed_since,
            fault_since=past.fault_since,
            known=known_gpus,
            most_gpus=past.most_gpus,
        )
    return found


def _answering(
    past: Past, answer: Snapshot, at: datetime, found: Sequence[Fault], held: Mapping[str, Held]
) -> Verdict:
    state, since, parts = past.use or State.BUSY, past.use_since, []
    if past.restarts:
        state, since = State.FULL, past.rebooted_at
    if past.overloaded:
        state = State.OVERLOADED
        lasting = {sign: since for sign, since in past.strained_since.items() if sign in past.overloaded}
        since = min(lasting.values())
        parts = reasons.overload(answer.host, lasting, at)
    parts += texts(found)
    parts += reasons.use(answer, told=[*past.overloaded, *(fault.what for fault in found)])
    parts += reasons.held(answer, held, past.unowned_since, at)
    parts += reasons.reboot(answer, at)
    urgent = past.is_urgent and state is State.OVERLOADED
    return Verdict(state=state, reason="; ".join(parts), since=since, urgent=urgent)


def suggest(statuses: Sequence[ServerStatus]) -> list[ServerStatus]:
    """All servers, the best to take first. The first is marked as suggested if it has room.

    Servers with free GPUs that nobody has reserved come first, then others that can be taken, then all others by
    state. Ties are broken by values that seldom change, so that rows keep their places: the memory of the
    largest free GPU, how many are free, cores, name.
    """
    ordered = sorted(statuses, key=_rank)
    return [
        status.model_copy(update={"suggested": place == 0 and _is_takeable(status)})
        for place, status in enumerate(ordered)
    ]


def _free_gpus_mib(status: ServerStatus) -> list[float]:
    gpus = (status.snapshot.gpus if status.snapshot else None) or ()
    reserved = status.reserved_gpus or ()
    return [
        part.memory_total_mib or 0 for part in free_gpus(gpu for gpu in gpus if gpu.index not in reserved)
    ]


def _is_takeable(status: ServerStatus) -> bool:
    state = status.verdict.state
    if state not in (State.IDLE, State.BUSY) or status.is_reserved_whole:
        return False
    return bool(_free_gpus_mib(status)) or (state is State.IDLE and status.reserved is None)


def _rank(status: ServerStatus) -> tuple[bool, bool, int, int, int, int, str]:
    free = _free_gpus_mib(status)
    host = status.snapshot.host if status.snapshot else None
    return (
        not (free and _is_takeable(status)),
        not _is_takeable(status),
        list(State).index(status.verdict.state),
        -round(max(free, default=0) / _MIB_PER_GIB),
        -len(free),
        -((host.cpu_count if host else None) or 0),
        status.name,
    )
