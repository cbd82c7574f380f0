"""A sweep whose data has to be read first: requested, followed, repeated, cancelled, and what can go wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.errors import InvalidError
from backend.jobs.sweep import Grid, SweepView
from backend.service.wiring import Sheetrack
from models.recipe import Recipe
from tests.patience import wait_until
from tests.speech import hang, write_words

GRID = Grid(depths=(8,), dropouts=(0.25,))

Request = Callable[..., SweepView]


@pytest.fixture
def request_sweep(sheetrack: Sheetrack, speech: Path) -> Request:
    """Requests a sweep on this machine."""

    def requested(grid: Grid = GRID, data: Path = speech, by: str = "kim") -> SweepView:
        return sheetrack.sweeps.request(next(iter(sheetrack.servers)), Recipe(data=str(data)), grid, by)

    return requested


def advance_until_read(sheetrack: Sheetrack) -> list[SweepView]:
    def is_read() -> bool:
        sheetrack.sweeps.advance()
        return not any(sweep.preparing for sweep in sheetrack.jobs.sweeps())

    wait_until(is_read, "the data")
    return sheetrack.sweeps.sweeps()


def test_a_request_is_answered_at_once_and_queued_when_its_data_is_read(
    sheetrack: Sheetrack, request_sweep: Request
) -> None:
    asked = request_sweep()
    assert asked.preparing == "waits until its data is read"
    assert sheetrack.jobs.unfinished_jobs() == []
    assert request_sweep(by="lee") == asked
    sheetrack.sweeps.advance()
    assert request_sweep(by="lee") == asked
    (sweep,) = advance_until_read(sheetrack)
    assert (sweep.preparing, sweep.fault, sweep.requested_by) == ("", "", "kim")
    assert [job.sweep for job in sheetrack.jobs.unfinished_jobs()] == [sweep.id] * 2
    assert "No training is queued yet" not in sheetrack.display.fine_tuning()[0].sections[0].note
    request_sweep()
    assert [again.id for again in advance_until_read(sheetrack)] == [sweep.id]
    assert len(sheetrack.jobs.unfinished_jobs()) == 2


def test_several_requests_for_one_folder_are_read_once(sheetrack: Sheetrack, request_sweep: Request) -> None:
    request_sweep()
    request_sweep(Grid(depths=(9,), dropouts=(0.25,)))
    (sweep,) = advance_until_read(sheetrack)
    assert sweep.grid.depths == (8, 9)
    assert len(sheetrack.jobs.unfinished_jobs()) == 4


def test_data_that_cannot_be_read_is_the_sweep_s_visible_fault(
    sheetrack: Sheetrack, request_sweep: Request, tmp_path: Path
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    request_sweep(data=folder)
    (sweep,) = advance_until_read(sheetrack)
    assert "has no folders of recordings" in sweep.fault
    (section,) = sheetrack.display.fine_tuning()[0].sections
    assert section.note.startswith(f"No training is queued yet: its data cannot be read: {sweep.fault}")
    write_words(folder)
    assert request_sweep(data=folder, by="lee").fault == ""
    (sweep,) = advance_until_read(sheetrack)
    assert (sweep.fault, sweep.requested_by) == ("", "lee")
    assert len(sheetrack.jobs.unfinished_jobs()) == 2


def test_a_request_is_cancelled_while_its_data_hangs(
    sheetrack: Sheetrack, request_sweep: Request, speech: Path, tmp_path: Path
) -> None:
    hanging = write_words(tmp_path / "hanging")
    hang(hanging)
    request_sweep(data=hanging)
    sheetrack.sweeps.advance()
    waiting = request_sweep()
    sheetrack.sweeps.advance()
    assert [sweep.preparing for sweep in sheetrack.sweeps.sweeps()] == [
        "waits until its data is read",
        "reading the data",
    ]
    assert len(sheetrack.sweeps.cancel("ch32", "lee")) == 2
    sheetrack.sweeps.advance()
    assert sheetrack.jobs.sweeps() == []
    assert request_sweep().id == waiting.id
    advance_until_read(sheetrack)
    assert len(sheetrack.jobs.unfinished_jobs()) == 2


def test_the_next_backend_reads_on_and_a_pause_holds(sheetrack: Sheetrack, request_sweep: Request) -> None:
    request_sweep()
    sheetrack.sweeps.advance()
    sheetrack.sweeps.pause("ch32", "lee")
    sheetrack.sweeps.close()
    another = Sheetrack(sheetrack.home)
    (sweep,) = advance_until_read(another)
    assert sweep.paused_by == "lee"
    another.queue.advance()
    assert {job.reason for job in another.jobs.unfinished_jobs()} == {"paused by lee"}
    another.close()


def test_what_makes_no_sense_is_refused_at_once(sheetrack: Sheetrack, request_sweep: Request) -> None:
    with pytest.raises(InvalidError, match="no data folder"):
        request_sweep(data=Path("/nowhere"))
    with pytest.raises(InvalidError, match="seed"):
        sheetrack.sweeps.request(
            next(iter(sheetrack.servers)),
            Recipe(data="/tmp", seed=2**31 - 1),
            Grid(depths=(8,), seeds=2),
            "kim",
        )
    assert sheetrack.jobs.sweeps() == []
