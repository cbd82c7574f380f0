"""The Jobs tab. Pure."""

from collections.abc import Sequence

from backend.jobs.job import Job, JobState
from backend.sheets.table import Cell, Column, Number, Section, Table, Text, Tone
from backend.tabs.names import JOBS, Rank, run_tab
from backend.times import iso

_JOB_TONES: dict[JobState, Tone] = {
    JobState.QUEUED: "soft",
    JobState.STARTING: "soft",
    JobState.RUNNING: "busy",
    JobState.CANCELLING: "busy",
    JobState.DONE: "good",
    JobState.FAILED: "bad",
    JobState.CANCELLED: "soft",
    JobState.TIMED_OUT: "bad",
    JobState.LOST: "overloaded",
}


def jobs_table(unfinished: Sequence[Job], finished: Sequence[Job]) -> Table:
    """Those that run, then those that wait, then those that ended (newest first)."""
    columns = (
        Column(title="Job", width=10),
        Column(title="Training", width=30),
        Column(title="Server", width=12),
        Column(title="GPU", width=12),
        Column(title="State", width=44),
        Column(title="Epoch", width=9),
        Column(title="Loss", format="decimal", width=8),
        Column(title="Validation", format="accuracy", width=11),
        Column(title="By", width=12),
        Column(title="Submitted", format="time", width=18),
        Column(title="Ended", format="time", width=18),
    )
    running_first = sorted(unfinished, key=lambda job: not job.state.holds_server)
    rows = tuple(_job_row(job) for job in [*running_first, *finished])
    section = Section(columns=columns, rows=rows, empty="No job has been launched yet.")
    return Table(name=JOBS, rank=Rank.JOBS, sections=(section,))


def _job_row(job: Job) -> tuple[Cell, ...]:
    progress = job.progress
    tab = run_tab(job.id) if job.state is JobState.DONE else None
    return (
        Text(text=job.id, tab=tab),
        _work(job),
        job.runs_on,
        Text(text=job.gpu_text, note=_gpu_note(job)) if job.assigned else None,
        Text(text=job.state.value, tone=_JOB_TONES[job.state], note=_state_note(job)),
        f"{progress.epoch} of {progress.epochs}" if progress.epoch and progress.epochs else None,
        progress.loss,
        Number(value=progress.validation_accuracy, format="accuracy"),
        job.requested_by,
        iso(job.submitted_at),
        iso(job.ended_at) if job.ended_at else None,
    )


def _work(job: Job) -> Text:
    """A recipe has its name beside it; the title of a command is its name."""
    return Text(text=job.work.title, note=job.recipe.name if job.recipe else "")


def _state_note(job: Job) -> str:
    """Why it waits or failed, and what people decided about it."""
    decisions = [
        f"{what} by {decision.by}"
        for what, decision in (("put first", job.put_first), ("reservations overridden", job.override))
        if decision
    ]
    return "; ".join(filter(None, [job.reason, *decisions]))


def _gpu_note(job: Job) -> str:
    """The model and the UUID of each GPU."""
    return "; ".join(f"{gpu.name or f'GPU {gpu.index}'}, {gpu.uuid}" for gpu in job.assigned or ())
