"""Which changes people are notified of, when, and in which words. Pure.

A change is reported once it has lasted for a while; a state that returned before that is not. While a server
is stale its state is unknown, and in maintenance it does not matter: neither changes anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backend.jobs.job import NO_PROGRESS, Job, JobState
from backend.jobs.sweep import Sweep
from backend.servers.faults import texts
from backend.servers.state import ServerStatus, State
from backend.settings import NotifySettings
from backend.times import iso

FINE = ""
_JOB, _SWEEP = "job ", "sweep "
_STEADY = timedelta(minutes=5)
_JOBS_REPORTED = timedelta(hours=1)  # how long ago they may have ended


@dataclass(frozen=True)
class Finding:
    """The present state of a subject, such as a server, and the text of its notification."""

    value: str
    """`FINE`, or what is wrong."""
    text: str
    """Empty: no notification."""
    hold: timedelta = timedelta()
    """How long it must last before it is reported."""
    since: datetime | None = None
    """Since when it is known to last already."""


@dataclass(frozen=True)
class Followed:
    reported: Mapping[str, str] = field(default_factory=dict)
    """The last value that was reported of each subject that is not fine."""
    changing: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)
    """The other value that a subject has now, and since when."""


def follow(before: Followed, findings: Mapping[str, Finding], at: datetime) -> tuple[Followed, list[str]]:
    """What was reported by now, and the texts to send now."""
    # A job that ended long ago is not among the findings any more, nor is a sweep that was removed.
    reported = {
        subject: value
        for subject, value in before.reported.items()
        if subject in findings or not subject.startswith((_JOB, _SWEEP))
    }
    changing, texts = {}, []
    for subject, finding in findings.items():
        if finding.value == reported.get(subject, FINE):
            continue
        value, since = before.changing.get(subject, (FINE, at))
        since = since if value == finding.value else at
        since = min(since, finding.since or since)
        if at - since < finding.hold:
            changing[subject] = (finding.value, since)
            continue
        reported[subject] = finding.value
        if finding.value == FINE:
            del reported[subject]
        if finding.text:
            texts.append(finding.text)
    return Followed(reported, changing), texts


def findings_of(
    servers: Iterable[ServerStatus],
    jobs: Iterable[Job],
    at: datetime,
    settings: NotifySettings,
    *,
    ray_fault: str = "",
    sweeps: Iterable[Sweep] = (),
) -> dict[str, Finding]:
    """The present state of each subject that is known and that the lab wants to be notified of.

    `ray_fault` says why Ray gives no answer; empty where it does.
    """
    found: dict[str, Finding] = {}
    if "down" in settings.events:
        well = "Ray answers again." if "back" in settings.events else ""
        hold = timedelta(seconds=settings.hold_seconds)
        found["Ray"] = Finding("silent" if ray_fault else FINE, ray_fault or well, hold)
    for server in servers:
        if server.verdict.state is not State.MAINTENANCE:
            found |= _connection(server, settings)
        if server.verdict.state not in (State.STALE, State.MAINTENANCE):
            found |= _server(server, settings)
    if "job_ended" in settings.events:
        for job in jobs:
            if job.state is JobState.RUNNING and job.reason.startswith(NO_PROGRESS):
                found[_JOB + job.id] = Finding("stalled", _stalled(job))
            if job.ended_at and job.sweep is None and at - job.ended_at < _JOBS_REPORTED:
                found[_JOB + job.id] = Finding(job.state, _ended(job))
        for sweep in sweeps:
            by = sweep.paused_by if sweep.pauses_itself else ""
            found[_SWEEP + sweep.id] = Finding(by or FINE, _paused(sweep) if by else "")
    return found


def _connection(server: ServerStatus, settings: NotifySettings) -> dict[str, Finding]:
    """Whether it answers only now and then, and whether it has started again."""
    name, found = server.name, {}
    if "unsteady" in settings.events:
        faults = [fault for fault in server.faults if fault.kind == "connection"]
        text = f"{name} answers steadily again." if "back" in settings.events else ""
        found[f"connection {name}"] = Finding(FINE, text, _STEADY)
        if faults:
            value, words = "; ".join(fault.what for fault in faults), "; ".join(texts(faults))
            text = server.verdict.reason if server.verdict.state is State.STALE else words
            found[f"connection {name}"] = Finding(value, f"{name} {text}")
    if "rebooted" in settings.events and server.rebooted_at:
        found[f"boot {name}"] = Finding(iso(server.rebooted_at), f"{name} has rebooted.")
    return found


def _server(server: ServerStatus, settings: NotifySettings) -> dict[str, Finding]:
    name, state, reason = server.name, server.verdict.state, server.verdict.reason
    hold, events = timedelta(seconds=settings.hold_seconds), settings.events
    found, reports_back = {}, "back" in events
    if state in (State.DOWN, State.OVERLOADED):
        if state.value in events:
            # It has lasted for a while before the verdict says so, and that counts.
            hold = timedelta() if server.verdict.urgent else hold
            text = f"{name} is {state}: {reason}"
            found[f"server {name}"] = Finding(state, text, hold, server.verdict.since)
    else:
        text = f"{name} is back: {state}, {reason}" if reports_back else ""
        found[f"server {name}"] = Finding(FINE, text, hold)
    if state is State.DOWN:
        return found
    found |= _faults(server, settings)
    if "reservation_idle" in events:
        idle = server.reserved if server.reserved and state is State.IDLE else FINE
        patience = timedelta(minutes=settings.idle_minutes) if idle else timedelta()
        text = f"{name} is reserved by {idle}, but idle for {settings.idle_minutes} min" if idle else ""
        found[f"reservation {name}"] = Finding(idle, text, patience)
    return found


def _faults(server: ServerStatus, settings: NotifySettings) -> dict[str, Finding]:
    """GPUs and disks, where the server's last readings hold."""
    hold = timedelta(seconds=settings.hold_seconds)
    found, name, gpus = {}, server.name, server.snapshot.gpus if server.snapshot else None
    well = f"All {len(gpus)} GPUs of {name} work." if gpus else f"No GPU fault on {name} any more."
    for event, kind, what, fine in (
        ("gpu_fault", "gpu", "GPU", well),
        ("disk_fault", "disk", "disk", f"No disk fault on {name} any more."),
    ):
        if event not in settings.events or server.snapshot is None:
            continue
        faults = [fault for fault in server.faults if fault.kind == kind]
        for is_warning in (False, True):
            some = [fault for fault in faults if fault.is_warning is is_warning]
            word = f"{what} {'warning' if is_warning else 'fault'}"
            text = f"{word[0].upper()}{word[1:]} on {name}: {'; '.join(texts(some))}"
            if not some:
                text = "" if is_warning or "back" not in settings.events else fine
            found[f"{word} {name}"] = Finding("; ".join(fault.what for fault in some), text, hold)
    return found


def _stalled(job: Job) -> str:
    return f"{job.requested_by}: job {job.id} ({job.work.title}) on {job.server} shows {job.reason}"


def _paused(sweep: Sweep) -> str:
    what = f"sweep {sweep.id} ({sweep.recipe.architecture}) on {sweep.server}"
    return f"{sweep.requested_by}: {what} is paused by {sweep.paused_by}"


def _ended(job: Job) -> str:
    text = f"{job.requested_by}: job {job.id} ({job.work.title}) on {job.runs_on} is over: {job.state}"
    return f"{text}, {job.reason}" if job.reason else text


@dataclass(frozen=True)
class Notification:
    number: int
    at: datetime
    text: str


def message(notifications: Sequence[Notification], at: datetime) -> tuple[str, str]:
    """Title and body of one message with all `notifications`; times are in the zone of `at`, earlier days named."""
    if len(notifications) == 1:
        return "Sheetrack", notifications[0].text
    lines = []
    for notification in notifications:
        local = notification.at.astimezone(at.tzinfo)
        lines.append(f"{local:{'%H:%M' if local.date() == at.date() else '%d %b %H:%M'}} {notification.text}")
    return f"Sheetrack: {len(notifications)} changes", "\n".join(lines)


def is_quiet(at: datetime, quiet_hours: str) -> bool:
    """Whether `at` lies in hours such as `22:00-07:00`, which do not include their end, in the zone of `at`."""
    if not quiet_hours:
        return False
    begin, end = quiet_hours.split("-")
    clock = f"{at:%H:%M}"
    return begin <= clock < end if begin <= end else clock >= begin or clock < end
