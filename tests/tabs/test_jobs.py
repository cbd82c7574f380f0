"""The Jobs tab."""

import pytest

from backend.jobs.job import JobState
from backend.sheets.table import Text
from backend.tabs.jobs import jobs_table
from tests import examples
from tests.tabs.rows import named


@pytest.mark.parametrize("state", JobState)
def test_every_state_is_shown_with_its_reason(state: JobState) -> None:
    job = examples.job("r1", state=state, reason="why")
    table = jobs_table([], [job]) if state.is_over else jobs_table([job], [])
    cell = table.sections[0].rows[0][3]
    assert isinstance(cell, Text)
    assert (cell.text, cell.note) == (state.value, "why")
    assert cell.tone


def test_jobs_that_hold_a_server_come_before_those_that_wait() -> None:
    waiting, cancelling = examples.job("r1"), examples.job("r2", state=JobState.CANCELLING)
    rows = jobs_table([waiting, cancelling], [examples.job("r0", state=JobState.DONE)]).sections[0].rows
    assert [cell.text for cell, *_ in rows if isinstance(cell, Text)] == ["r2", "r1", "r0"]


def test_running_jobs_stand_before_those_that_wait() -> None:
    waiting = examples.job("r1", reason="another training runs on this server")
    section = jobs_table(
        [waiting, examples.running("r2")], [examples.job("r0", state=JobState.DONE)]
    ).sections[0]
    jobs = [row[0] for row in section.rows]
    assert jobs == [Text(text="r2"), Text(text="r1"), Text(text="r0", tab="Run r0")]
    assert named(section, 0)["Epoch"] == "14 of 40"
    assert named(section, 1)["State"] == Text(
        text="queued", tone="soft", note="another training runs on this server"
    )
