"""What the tab Jobs shows, read from what is stored. Imports nothing of the other tabs: `sheetrack jobs` is quick."""

from collections.abc import Collection, Sequence

from backend.jobs import turns
from backend.jobs.store import JobStore
from backend.jobs.sweep import SweepView
from backend.sheets.table import Table
from backend.tabs.jobs import jobs_table

SHOWN_SWEEPS = 20


def jobs_tab(
    store: JobStore, sweeps: Sequence[SweepView], takes_jobs: Collection[str], most_finished: int
) -> Table:
    """All unfinished jobs, those of the newest sweeps that ended, and of the others the newest that ended.

    `sweeps` are all, the newest first; `takes_jobs` names the servers that jobs for any server may run on.
    """
    shown = [sweep for sweep in sweeps if not sweep.preparing][:SHOWN_SWEEPS]
    swept = [job for sweep in shown for job in store.jobs_of(sweep.id) if job.state.is_over]
    single = store.finished_jobs(most_finished, swept=False)
    finished = sorted([*single, *swept], key=lambda job: job.ended_at or job.submitted_at, reverse=True)
    unfinished = store.unfinished_jobs()
    paused = {sweep.id for sweep in sweeps if sweep.paused_by}
    places = turns.places(unfinished, paused, takes_jobs, store.last_starts())
    return jobs_table(unfinished, finished, shown, places)
