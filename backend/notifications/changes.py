"""What people are told of: which changes, when, and in what words. Pure.

A change is told once it has held for a while; what went back before that is not told. What nobody can know,
or does not want to hear of because the server is in maintenance, changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backend.jobs.job import Job
from backend.servers.state import ServerStatus, State
from backend.settings import NotifySettings

FINE = ""
_JOB = "job "
_JOBS_TOLD_OF = timedelta(hours=1)  # how long ago they may have ended


@dataclass(frozen=True)
class Finding:
    """How a subject, such as a server, is now; `FINE` or what is wrong, and how that is told."""

    value: str
    text: str
    """Empty: this is not told."""
    hold: timedelta = timedelta()


@dataclass(frozen=True)
class Followed:
    told: Mapping[str, str] = field(default_factory=dict)
    """What people know of each subject that is not fine."""
    changing: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)
    """What each subject is instead, and since when."""


def follow(watched: Followed, findings: Mapping[str, Finding], at: datetime) -> tuple[Followed, list[str]]:
    """What is known after one look more, and what is to be told now."""
    # A job that ended long ago is not looked at any more, and never comes back.
    told = {
        subject: value
        for subject, value in watched.told.items()
        if subject in findings or not subject.startswith(_JOB)
    }
    changing, texts = {}, []
    for subject, finding in findings.items():
        if finding.value == told.get(subject, FINE):
            continue
        value, since = watched.changing.get(subject, (FINE, at))
        since = since if value == finding.value else at
        if at - since < finding.hold:
            changing[subject] = (finding.value, since)
            continue
        told[subject] = finding.value
        if finding.value == FINE:
            del told[subject]
        if finding.text:
            texts.append(finding.text)
    return Followed(told, changing), texts


def findings_of(
    servers: Iterable[ServerStatus], jobs: Iterable[Job], at: datetime, settings: NotifySettings
) -> dict[str, Finding]:
    """Each subject of which something is known, and which the lab wants to hear of."""
    found: dict[str, Finding] = {}
    for server in servers:
        if server.verdict.state not in (State.STALE, State.MAINTENANCE):
            found |= _server(server, settings)
    if "job_ended" in settings.events:
        for job in jobs:
            if job.ended_at and job.sweep is None and at - job.ended_at < _JOBS_TOLD_OF:
                found[_JOB + job.id] = Finding(job.state, _ended(job))
    return found


def _server(server: ServerStatus, settings: NotifySettings) -> dict[str, Finding]:
    name, state, reason = server.name, server.verdict.state, server.verdict.reason
    hold, events = timedelta(seconds=settings.hold_seconds), settings.events
    found, tells_back = {}, "back" in events
    if state in (State.DOWN, State.OVERLOADED):
        if state.value in events:
            found[f"server {name}"] = Finding(state, f"{name} is {state}: {reason}", hold)
    else:
        text = f"{name} is back: {state}, {reason}" if tells_back else ""
        found[f"server {name}"] = Finding(FINE, text, hold)
    if state is State.DOWN:
        return found
    if "gpu_fault" in events and server.snapshot:
        faults = "; ".join(server.snapshot.gpu_faults)
        well = f"The GPUs of {name} work again." if tells_back else ""
        found[f"GPUs {name}"] = Finding(faults, f"GPU fault on {name}: {faults}" if faults else well, hold)
    if "reservation_idle" in events:
        idle = server.reserved if server.reserved and state is State.IDLE else FINE
        patience = timedelta(minutes=settings.idle_minutes) if idle else timedelta()
        text = f"{name} is reserved by {idle}, but idle for {settings.idle_minutes} min" if idle else ""
        found[f"reservation {name}"] = Finding(idle, text, patience)
    return found


def _ended(job: Job) -> str:
    text = f"{job.requested_by}: your training {job.id} ({job.recipe.title}) on {job.server} is {job.state}"
    return f"{text}: {job.reason}" if job.reason else text


@dataclass(frozen=True)
class Notification:
    number: int
    at: datetime
    text: str


def message(notifications: Sequence[Notification], at: datetime) -> tuple[str, str]:
    """Title and body for all `notifications` together; times are in the zone of `at`, with the day where not today."""
    if len(notifications) == 1:
        return "Sheetrack", notifications[0].text
    lines = []
    for notification in notifications:
        local = notification.at.astimezone(at.tzinfo)
        lines.append(f"{local:{'%H:%M' if local.date() == at.date() else '%d %b %H:%M'}} {notification.text}")
    return f"Sheetrack: {len(notifications)} changes", "\n".join(lines)


def is_quiet(at: datetime, quiet_hours: str) -> bool:
    """Whether `at` lies in `22:00-07:00`, in its own time zone; the end does not."""
    if not quiet_hours:
        return False
    begin, end = quiet_hours.split("-")
    clock = f"{at:%H:%M}"
    return begin <= clock < end if begin <= end else clock >= begin or clock < end
