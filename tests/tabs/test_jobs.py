"""The Jobs tab."""

import pytest

from backend.jobs.job import AssignedGpu, Decision, JobState
from backend.jobs.sweep import Grid, SweepCell, SweepView
from backend.sheets.table import Text
from backend.tabs.jobs import jobs_table
from tests import examples
from tests.tabs.rows import named


@pytest.mark.parametrize("state", JobState)
def test_every_state_is_shown_with_its_reason(state: JobState) -> None:
    job = examples.job("r1", state=state, reason="why")
    table = jobs_table([], [job]) if state.is_over else jobs_table([job], [])
    cell = table.sections[0].rows[0][1]
    assert isinstance(cell, Text)
    assert (cell.text, cell.note) == ("timed out" if state is JobState.TIMED_OUT else state.value, "why")
    assert cell.tone


def test_jobs_that_hold_a_server_come_before_those_that_wait() -> None:
    waiting, cancelling = examples.job("r1"), examples.job("r2", state=JobState.CANCELLING)
    rows = jobs_table([waiting, cancelling], [examples.job("r0", state=JobState.DONE)]).sections[0].rows
    assert [cell.text for cell, *_ in rows if isinstance(cell, Text)] == ["r2", "r1", "r0"]


def test_running_jobs_stand_before_those_that_wait() -> None:
    waiting = examples.job("r1", reason="all 8 GPUs in use (kim 3, lee 5)")
    section = jobs_table(
        [waiting, examples.running("r2")], [examples.job("r0", state=JobState.DONE)]
    ).sections[0]
    jobs = [row[0] for row in section.rows]
    assert jobs == [Text(text=name, tab=f"Run {name}") for name in ("r2", "r1", "r0")]
    assert named(section, 0)["Epoch"] == "14 of 40"
    assert named(section, 1)["State"] == Text(
        text="queued", tone="soft", note="all 8 GPUs in use (kim 3, lee 5)"
    )


def test_those_that_wait_stand_in_their_turn_with_their_places() -> None:
    late, early, anywhere, paused = (
        examples.job("r1", reason="both GPUs in use (kim 2)"),
        examples.job("r2"),
        examples.job("r3", server="", servers=("any",)),
        examples.job("r4", reason="paused by lee"),
    )
    places = {"r1": 12, "r2": 2, "r3": 3}
    section = jobs_table([paused, late, early, anywhere, examples.running("r0")], [], places=places).sections[
        0
    ]
    assert [row[0].text for row in section.rows if isinstance(row[0], Text)] == ["r0", "r2", "r3", "r1", "r4"]
    assert [named(section, row)["State"] for row in range(1, 5)] == [
        Text(text="queued", tone="soft", note=note)
        for note in (
            "2nd in the queue of gpu1",
            "3rd in the queue",
            "12th in the queue of gpu1; both GPUs in use (kim 2)",
            "paused by lee",
        )
    ]


def test_the_gpus_of_a_job_and_what_people_decided_are_shown() -> None:
    decision = Decision(by="park", at=examples.NOON)
    gpus = (AssignedGpu(uuid="GPU-a", index=2, name="H100"), AssignedGpu(uuid="GPU-b", index=5))
    placed = examples.job("r1", state=JobState.RUNNING, assigned=gpus, put_first=decision)
    waiting = examples.job("r2", server="", servers=("gpu1", "gpu2"), override=decision, reason="why")
    section = jobs_table([placed, waiting], []).sections[0]
    assert named(section, 0)["GPU"] == Text(text="GPUs 2, 5", note="H100, GPU-a; GPU 5, GPU-b")
    assert named(section, 0)["State"] == Text(text="running", tone="busy", note="put first by park")
    assert (named(section, 1)["Server"], named(section, 1)["GPU"]) == ("gpu1 or gpu2", None)
    state = Text(text="queued", tone="soft", note="why; reservations overridden by park")
    assert named(section, 1)["State"] == state


def test_a_sweep_is_one_row_with_its_jobs_as_details() -> None:
    cells = [
        SweepCell(depth=8, dropout=0.25, batch_norm=False, runs=("r1",), accuracy=0.9),
        SweepCell(depth=8, dropout=0.25, batch_norm=True),
    ]
    sweep = SweepView(
        id="s1",
        server="gpu1",
        recipe=examples.recipe(),
        grid=Grid(depths=(8,), dropouts=(0.25,)),
        layers={},
        data=None,
        requested_by="lee",
        submitted_at=examples.NOON,
        cells=cells,
    )
    waits = examples.job("r2", sweep="s1", reason="all 8 GPUs in use (kim 8)")
    done = examples.job("r1", sweep="s1", state=JobState.DONE)
    section = jobs_table([examples.running("r3"), waits], [done, examples.job("r0")], [sweep]).sections[0]
    assert [row[0].text for row in section.rows if isinstance(row[0], Text)] == ["r3", "s1", "r2", "r1", "r0"]
    assert section.levels == (0, 0, 1, 1, 0)
    assert named(section, 1)["State"] == Text(
        text="1 of 2 done", tone="soft", note="1 queued; all 8 GPUs in use (kim 8)"
    )
    assert [row[0].text for row in section.without_details if isinstance(row[0], Text)] == ["r3", "s1", "r0"]
    ended = [done, examples.job("r2", sweep="s1", state=JobState.CANCELLED)]
    assert named(jobs_table([], ended, [sweep]).sections[0], 0)["State"] == Text(
        text="1 of 2 done", tone="soft", note="1 cancelled"
    )
    placed = jobs_table([waits], [], [sweep], {"r2": 3}).sections[0]
    assert named(placed, 0)["State"] == Text(
        text="1 of 2 done", tone="soft", note="1 queued; 3rd in the queue of gpu1; all 8 GPUs in use (kim 8)"
    )
    paused = sweep.model_copy(update={"paused_by": "kim"})
    waits = examples.job("r2", sweep="s1", reason="paused by kim")
    assert named(jobs_table([waits], [], [paused]).sections[0], 0)["State"] == Text(
        text="1 of 2 done", tone="soft", note="paused by kim; 1 queued"
    )
