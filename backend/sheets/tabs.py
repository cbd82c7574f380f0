"""What the tabs about servers, their use and jobs show. Pure: the same facts give the same Table."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from backend.job import Job, JobState
from backend.sheets.table import Bars, Cell, Column, Number, Section, Spark, Table, Text, Tone
from backend.snapshot import ServerStatus, Snapshot, iso

_JOB_TONES: dict[JobState, Tone] = {
    JobState.QUEUED: "soft",
    JobState.STARTING: "soft",
    JobState.RUNNING: "busy",
    JobState.DONE: "good",
    JobState.FAILED: "bad",
    JobState.CANCELLED: "soft",
    JobState.LOST: "overloaded",
}


def servers_table(servers: Sequence[ServerStatus], *, reservations: bool = False) -> Table:
    """`reservations`: whether the lab keeps any, and so wants to see them."""
    columns = (
        Column(title="Server", width=12),
        Column(title="Verdict", width=40),
        Column(title="GPUs", width=16),
        Column(title="Free GPU memory", format="gib", width=16),
        Column(title="CPU", format="percent", width=7),
        Column(title="Memory", format="percent", width=8),
        Column(title="Users", width=16),
        *((Column(title="Reserved", width=18),) if reservations else ()),
        Column(title="Last hour", width=14),
        Column(title="Seen", format="time", width=18),
    )
    rows = tuple(_server_row(server, reservations=reservations) for server in servers)
    section = Section(columns=columns, rows=rows, empty="No reading yet; the first comes within seconds.")
    return Table(name="Servers", sections=(section,))


def _server_row(status: ServerStatus, *, reservations: bool) -> tuple[Cell, ...]:
    snapshot = status.snapshot
    host = snapshot.host if snapshot else None
    verdict = Text(
        text=status.verdict.state.value, tone=status.verdict.state.value, note=status.verdict.reason
    )
    return (
        status.name,
        verdict,
        _gpu_bars(snapshot),
        _free_gpu_memory_gib(snapshot),
        _fraction(host.cpu_percent) if host else None,
        host.memory_used_fraction if host else None,
        ", ".join(snapshot.users) if snapshot else None,
        *((status.reserved,) if reservations else ()),
        _last_hour(status.last_hour),
        iso(status.seen_at) if status.seen_at else None,
    )


def _gpu_bars(snapshot: Snapshot | None) -> Cell:
    if snapshot is None or not snapshot.gpus:
        return snapshot.gpu_fault if snapshot else None
    shares = [_fraction(gpu.utilization_percent) for gpu in snapshot.gpus]
    words = [
        f"GPU {gpu.index} {gpu.fault or ('not known' if share is None else f'{share:.0%}')}"
        for gpu, share in zip(snapshot.gpus, shares, strict=True)
    ]
    return Bars(fractions=tuple(shares), label=", ".join(words))


def _free_gpu_memory_gib(snapshot: Snapshot | None) -> float | None:
    free = [
        gpu.memory_total_mib - gpu.memory_used_mib
        for gpu in (snapshot.gpus if snapshot else None) or ()
        if gpu.memory_total_mib is not None and gpu.memory_used_mib is not None
    ]
    return sum(free) / 1024 if free else None


def _last_hour(percents: tuple[float | None, ...]) -> Cell:
    known = [percent for percent in percents if percent is not None]
    if not known:
        return None
    label = f"use over the last hour: {min(known):.0f} to {max(known):.0f} %, now {known[-1]:.0f} %"
    return Spark(values=percents, low=0, high=100, label=label)


def _fraction(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def usage_table(weeks: Mapping[datetime, Mapping[str, float]]) -> Table:
    """GPU-hours of each person by the week's Monday, the newest first; people are columns, the most first."""
    hours: dict[str, float] = {}
    for week in weeks.values():
        for person, value in week.items():
            hours[person] = hours.get(person, 0) + value
    people = sorted(hours, key=lambda person: (-hours[person], person))
    columns = (
        Column(title="Week of", width=12),
        Column(title="Together", format="integer", width=9),
        *(Column(title=person, format="integer", width=max(9, len(person)), heat=True) for person in people),
    )
    rows = tuple(
        (f"{monday:%Y-%m-%d}", sum(week.values()), *(week.get(person) for person in people))
        for monday, week in weeks.items()
    )
    section = Section(
        title="GPU-hours",
        note="A GPU counts for whoever has a process on it, working or not; people on one GPU share it. "
        "Weeks begin on Monday, UTC.",
        columns=columns,
        rows=rows,
        heat="good",
        empty="Nobody has used a GPU yet.",
    )
    return Table(name="Usage", sections=(section,))


def jobs_table(unfinished: Sequence[Job], finished: Sequence[Job]) -> Table:
    """Those that run, then those that wait, then those that ended (newest first)."""
    columns = (
        Column(title="Job", width=10),
        Column(title="Training", width=30),
        Column(title="Server", width=12),
        Column(title="State", width=44),
        Column(title="Epoch", width=9),
        Column(title="Loss", format="decimal", width=8),
        Column(title="Validation", format="accuracy", width=11),
        Column(title="By", width=12),
        Column(title="Asked", format="time", width=18),
        Column(title="Ended", format="time", width=18),
    )
    running_first = sorted(unfinished, key=lambda job: not job.state.holds_server)
    rows = tuple(_job_row(job) for job in [*running_first, *finished])
    section = Section(columns=columns, rows=rows, empty="No training has been launched yet.")
    return Table(name="Jobs", sections=(section,))


def _job_row(job: Job) -> tuple[Cell, ...]:
    progress = job.progress
    run_tab = f"Run {job.id}" if job.state is JobState.DONE else None
    return (
        Text(text=job.id, tab=run_tab),
        Text(text=job.recipe.title, note=job.recipe.name),
        job.server,
        Text(text=job.state.value, tone=_JOB_TONES[job.state], note=job.reason),
        f"{progress.epoch} of {progress.epochs}" if progress.epoch and progress.epochs else None,
        progress.loss,
        Number(value=progress.validation_accuracy, format="accuracy"),
        job.asked_by,
        iso(job.asked_at),
        iso(job.ended_at) if job.ended_at else None,
    )
