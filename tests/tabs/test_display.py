"""Which tabs there are: the newest runs, the newest comparisons, and nothing of those before."""

from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from backend.jobs.job import JobState
from backend.jobs.marks import Mark
from backend.jobs.result import Result
from backend.jobs.store import JobStore
from backend.settings import Home
from backend.sheets.google.sheet import GoogleSheet
from backend.sheets.table import Column, Picture, Section, Table, Text
from backend.sheets.workbook import Workbook
from backend.tabs.display import SHOWN_COMPARISONS, Display
from backend.tabs.names import Rank, comparison_tab
from backend.tabs.outbox import Outbox
from backend.tabs.publisher import Publisher
from tests import examples
from tests.google.server import SheetsServer


def results(count: int) -> list[Result]:
    """The newest has the highest number."""
    return [
        examples.result(f"r{number:03}", finished_at=examples.NOON + timedelta(minutes=number))
        for number in range(count)
    ]


def test_exactly_the_newest_runs_have_a_tab(
    home: Home, database: sa.Engine, server: SheetsServer, google: GoogleSheet, workbook: Workbook
) -> None:
    store = JobStore(database)
    publisher = Publisher(Outbox(database), workbook, lambda: google)
    home.peoples_tabs.mkdir(parents=True)
    (home.peoples_tabs / "Run of the mill.csv").write_text("Server\n")
    for result in results(50):
        store.add_result(result)

    def run_tabs(most: int, changed: set[str] | None = None) -> list[str]:
        Display(home, store, publisher, workbook, most, sweeps=list).show_results(changed)
        assert publisher.flush()
        shown = [name for name, _ in workbook.tabs() if name.startswith("Run r")]
        assert [tab.title for tab in server.state.tabs if tab.title.startswith("Run r")] == shown
        return shown

    newest = [f"Run r{number:03}" for number in reversed(range(50))]
    assert run_tabs(45) == newest[:45]
    assert run_tabs(5) == newest[:5]
    assert run_tabs(0) == []
    assert run_tabs(8, changed={"r049"}) == newest[:8]
    store.add_result(examples.result("r999", finished_at=examples.NOON + timedelta(days=1)))
    assert run_tabs(8, changed={"r999"}) == ["Run r999", *newest[:7]]
    assert (home.peoples_tabs / "Run of the mill.csv").exists()


def test_a_comparison_that_goes_takes_its_picture_along(
    home: Home, database: sa.Engine, workbook: Workbook
) -> None:
    display = Display(
        home, JobStore(database), Publisher(Outbox(database), workbook), workbook, 20, sweeps=list
    )

    def drawn(picture: Picture) -> Path:
        file = display.picture_file(picture)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"a picture")
        return file

    def show(a: str, minute: int, picture: Picture) -> Path:
        section = Section(columns=(Column(title="Fact"),), pictures=(picture,))
        rank = Rank.COMPARISON.newest_first(examples.NOON + timedelta(minutes=minute))
        file = drawn(picture)
        display.show_comparison(Table(name=comparison_tab(a, "base"), rank=rank, sections=(section,)))
        return file

    # An older release kept them in the folder of the run.
    old = show("r0", 0, Picture(run="r0", figure="compare_base", alt="Old"))
    kept = [
        show(f"r{number}", number, Picture(comparison=(f"r{number}", "base"), alt="New"))
        for number in range(1, SHOWN_COMPARISONS)
    ]
    assert all(file.exists() for file in [old, *kept])
    show("r0", 20, Picture(comparison=("r0", "base"), alt="New"))
    assert not old.exists()
    show("r99", 21, Picture(comparison=("r99", "base"), alt="New"))
    tabs = [name for name, _ in workbook.tabs()]
    assert tabs[:2] == ["Compare r99 base", "Compare r0 base"]
    assert len(tabs) == SHOWN_COMPARISONS
    assert [file.exists() for file in kept] == [False] + [True] * (SHOWN_COMPARISONS - 2)
    assert not kept[0].parent.exists()


def test_starred_runs_have_tabs_and_cells_of_sweeps_have_none(
    home: Home, database: sa.Engine, workbook: Workbook
) -> None:
    store = JobStore(database)
    for result in results(5):
        store.add_result(result)
    store.add_job(examples.job("r004", sweep="s1", state=JobState.DONE))
    marks = {"r000": Mark(is_starred=True, name="the first"), "r003": Mark(is_archived=True)}
    display = Display(
        home, store, Publisher(Outbox(database), workbook), workbook, 1, sweeps=list, marks=lambda: marks
    )
    display.show_results()
    tabs = [name for name, _ in workbook.tabs()]
    assert tabs == ["Results", "Leaderboard", "Archive", "Run r002", "Run r000"]
    assert display.labels == {"Run r002": "ch32 · 8 · DO(0.75)", "Run r000": "the first"}
    drawn = display.run_table("r004")
    assert drawn
    assert drawn.name == "Run r004"
    assert display.run_table("r999") is None


def test_jobs_that_wait_have_their_true_places(home: Home, database: sa.Engine, workbook: Workbook) -> None:
    store = JobStore(database)
    display = Display(
        home,
        store,
        Publisher(Outbox(database), workbook),
        workbook,
        1,
        sweeps=list,
        takes_jobs=lambda: ["gpu1"],
    )
    store.add_job(examples.job("r1", state=JobState.RUNNING, started_at=examples.NOON))
    for name, person in (("r2", "kim"), ("r3", "kim"), ("r4", "lee")):
        store.add_job(examples.job(name, requested_by=person, server="", servers=("any",)))
    rows = display.jobs(0).sections[0].rows
    shown = [
        (str(row[0].text), row[1].note)
        for row in rows
        if isinstance(row[0], Text) and isinstance(row[1], Text)
    ]
    places = ("", "1st in the queue", "2nd in the queue", "3rd in the queue")
    assert shown == list(zip(("r1", "r4", "r2", "r3"), places, strict=True))
