"""The Jobs tab. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import inf

from backend.jobs.job import Job, JobState
from backend.jobs.sweep import SweepView
from backend.sheets.table import Cell, Column, Number, Section, Table, Text, Tone
from backend.tabs.names import JOBS, Rank, run_tab, sweeps_tab
from backend.text import ordinal
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


def jobs_table(
    unfinished: Sequence[Job],
    finished: Sequence[Job],
    sweeps: Sequence[SweepView] = (),
    places: Mapping[str, int] | None = None,
) -> Table:
    """Those that run, then those that wait, the next one first, then those that ended (newest first).

    A sweep of `sweeps` is one row, where the first of its jobs would stand, with its jobs as details. `places` are
    those of waiting jobs in the queue, 1 being next.
    """
    known = places or {}
    columns = (
        Column(title="Job", width=10),
        Column(title="State", width=44),
        Column(title="Training", width=30),
        Column(title="Server", width=12),
        Column(title="GPU", width=12),
        Column(title="Epoch", width=9),
        Column(title="Loss", format="decimal", width=8),
        Column(title="Validation", format="accuracy", width=11),
        Column(title="By", width=12),
        Column(title="Submitted", format="time", width=18),
        Column(title="Ended", format="time", width=18),
    )
    in_turn = sorted(unfinished, key=lambda job: -1 if job.state.holds_server else known.get(job.id, inf))
    jobs = [*in_turn, *finished]
    views = {view.id: view for view in sweeps}
    swept: dict[str, list[Job]] = {}
    for job in jobs:
        swept.setdefault(job.sweep or "", []).append(job)
    rows: list[tuple[Cell, ...]] = []
    levels: list[int] = []
    for job in jobs:
        view = views.get(job.sweep or "")
        if view is None:
            rows.append(_job_row(job, known))
            levels.append(0)
        elif job is (theirs := swept[view.id])[0]:
            rows += [_sweep_row(view, theirs, known), *(_job_row(each, known) for each in theirs)]
            levels += [0, *[1] * len(theirs)]
    section = Section(
        columns=columns,
        rows=tuple(rows),
        levels=tuple(levels),
        is_list=True,
        empty="No job has been launched yet.",
    )
    return Table(name=JOBS, rank=Rank.JOBS, sections=(section,))


def _sweep_row(sweep: SweepView, jobs: Sequence[Job], places: Mapping[str, int]) -> tuple[Cell, ...]:
    """How far a sweep is, in one row."""
    done, trainings = sum(len(cell.runs) for cell in sweep.cells), len(sweep.cells) * sweep.grid.seeds
    states = Counter(job.state for job in jobs if job.state is not JobState.DONE)
    running = next((state for state in states if state.holds_server), None)
    waits = any(not state.is_over for state in states)
    failed = any(state in states for state in (JobState.FAILED, JobState.TIMED_OUT))
    counts = ", ".join(f"{count} {state.in_words}" for state, count in states.items())
    next_one = next((job for job in jobs if job.state is JobState.QUEUED), None)
    if sweep.paused_by:  # which is also why each job waits
        notes = [f"paused by {sweep.paused_by}", counts]
    else:
        notes = [counts, *((_place(next_one, places), next_one.reason) if next_one else ())]
    tone: Tone = "busy" if running else "bad" if failed and not waits else "soft" if states else "good"
    ended = [job.ended_at for job in jobs if job.ended_at]
    return (
        Text(text=sweep.id, tab=sweeps_tab(sweep.recipe.architecture)),
        Text(
            text=f"{done:,} of {trainings:,} done", tone=tone, note="; ".join(note for note in notes if note)
        ),
        Text(text=f"{sweep.recipe.architecture}, a sweep of {trainings:,}", note=sweep.recipe.name),
        sweep.server.replace(",", " or "),
        None,
        None,
        None,
        None,
        sweep.requested_by,
        iso(sweep.submitted_at),
        iso(max(ended)) if ended and not waits and not running else None,
    )


def _job_row(job: Job, places: Mapping[str, int]) -> tuple[Cell, ...]:
    progress = job.progress
    return (
        Text(text=job.id, tab=run_tab(job.id)),
        Text(text=job.state.in_words, tone=_JOB_TONES[job.state], note=_state_note(job, places)),
        _work(job),
        job.runs_on,
        Text(text=job.gpu_text, note=_gpu_note(job)) if job.assigned else None,
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


def _state_note(job: Job, places: Mapping[str, int]) -> str:
    """Its place in the queue, why it waits or failed, and what people decided about it."""
    decisions = [
        f"{what} by {decision.by}"
        for what, decision in (("put first", job.put_first), ("reservations overridden", job.override))
        if decision
    ]
    return "; ".join(filter(None, [_place(job, places), job.reason, *decisions]))


def _place(job: Job, places: Mapping[str, int]) -> str:
    """`2nd in the queue of gpu2`; of a job for several servers the best of its places there."""
    place = places.get(job.id)
    if place is None:
        return ""
    return f"{ordinal(place)} in the queue{f' of {job.server}' if job.server else ''}"


def _gpu_note(job: Job) -> str:
    """The model and the UUID of each GPU."""
    return "; ".join(f"{gpu.name or f'GPU {gpu.index}'}, {gpu.uuid}" for gpu in job.assigned or ())
