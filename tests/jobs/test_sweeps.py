"""Sweeps: the grid, the tab, and a real one of tones."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from backend.cli import sheetrack as command_line
from backend.database import open_database
from backend.errors import InvalidError, NotFoundError
from backend.jobs.job import Job, JobState
from backend.jobs.result import Result
from backend.jobs.store import JobStore
from backend.jobs.sweep import Grid, Sweep, cells, sweep_id, trials
from backend.service.wiring import Sheetrack
from backend.sheets.table import Number, Section, Text
from backend.tabs.sweeps import fine_tuning_table
from models import published
from models.recipe import Recipe
from models.result import DataFacts, Progress
from tests import examples
from tests.jobs.following import advance_until
from tests.old_database import database_of

SPEECH = DataFacts(name="speech", hash="abc", synthetic=False)
LAYERS = {depth: f"CONV(5, {32 if depth <= 4 else 64})" for depth in range(1, 9)}


def sweep(**changes: object) -> Sweep:
    base = Recipe(data="/data/speech", epochs=2)
    plain = Sweep(
        id="s1",
        server="gpu1",
        recipe=base,
        grid=Grid(depths=(5, 8)),
        layers=LAYERS,
        data=SPEECH,
        requested_by="kim",
        submitted_at=examples.NOON,
    )
    return plain.model_copy(update=changes)


def measured(run: str, accuracy: float, **changes: object) -> Result:
    """A run of the sweep's recipe with `changes`."""
    recipe = sweep().recipe.model_copy(update={"data": "/elsewhere", "name": run} | changes)
    return examples.result(run, accuracy, recipe=recipe, data=SPEECH)


def waiting(name: str, state: JobState = JobState.QUEUED, **changes: object) -> Job:
    recipe = sweep().recipe.model_copy(update=changes)
    return examples.job(name, recipe=recipe, state=state, sweep="s1")


def shown(section: Section) -> dict[str, list[object]]:
    """The words and numbers of each row."""
    return {
        str(title): [
            cell.text if isinstance(cell, Text) else cell.value if isinstance(cell, Number) else cell
            for cell in row
        ]
        for title, *row in section.rows
    }


def sections(asked: Sweep, jobs: list[Job], results: list[Result]) -> tuple[Section, ...]:
    return fine_tuning_table("ch32", [(asked, cells(trials(asked, jobs, results)))]).sections


def test_a_grid_is_in_order_and_trains_one_seed_of_every_cell_first() -> None:
    grid = Grid(depths=(8, 5, 8), dropouts=(0.75, 0.25), batch_norms=(True,), seeds=2)
    recipes = grid.recipes(Recipe(data="speech", seed=7))
    assert [(recipe.depth, recipe.dropout, recipe.seed) for recipe in recipes] == [
        (depth, dropout, seed) for seed in (7, 8) for depth in (5, 8) for dropout in (0.25, 0.75)
    ]
    assert {recipe.batch_norm for recipe in recipes} == {True}
    grown = grid | Grid(depths=(1,), batch_norms=(False,))
    assert grown == Grid(depths=(1, 5, 8), dropouts=(0.25, 0.75), batch_norms=(False, True), seeds=2)


@pytest.mark.parametrize(
    "wrong", [{"depths": ()}, {"depths": (0,)}, {"dropouts": (1.5,)}, {"seeds": 0}, {"batch_norms": ()}]
)
def test_a_grid_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Grid.model_validate({"depths": (5,)} | wrong)


def test_a_sweep_is_the_same_for_the_same_recipe_data_and_server_only() -> None:
    base = Recipe(data="/data/speech")
    same = base.model_copy(update={"data": "/moved", "name": "again", "depth": 3, "dropout": 0.1})
    assert sweep_id("gpu1", base, SPEECH) == sweep_id("gpu1", same, SPEECH)
    others = [
        sweep_id("gpu2", base, SPEECH),
        sweep_id("gpu1", base, SPEECH.model_copy(update={"hash": "other"})),
        sweep_id("gpu1", base.model_copy(update={"epochs": 3}), SPEECH),
        sweep_id("gpu1", base, None),
        sweep_id("gpu1", same, None),
    ]
    assert len({sweep_id("gpu1", base, SPEECH), *others}) == 6


def test_a_run_counts_with_the_same_recipe_and_data_whoever_launched_it() -> None:
    mine = measured("r1", 0.8, depth=5, dropout=0.25, batch_norm=False)
    other_data = measured("r2", 0.9, depth=5, dropout=0.75, batch_norm=False)
    other_data = other_data.model_copy(
        update={
            "content": other_data.content.model_copy(
                update={"data": DataFacts(name="x", hash="y", synthetic=True)}
            )
        }
    )
    longer = measured("r3", 0.9, depth=8, dropout=0.25, batch_norm=False, epochs=3)
    found = cells(trials(sweep(), [], [mine, other_data, longer]))
    assert [(cell.depth, cell.dropout, cell.batch_norm, cell.runs) for cell in found if cell.runs] == [
        (5, 0.25, False, ("r1",))
    ]
    unknown = sweep(data=None)
    assert not any(cell.runs for cell in cells(trials(unknown, [], [mine])))
    own = waiting("r1", JobState.DONE, depth=5, dropout=0.25, batch_norm=False)
    assert [cell.runs for cell in cells(trials(unknown, [own], [mine])) if cell.runs] == [("r1",)]


def test_the_tab_has_the_published_layout_and_says_where_every_cell_stands() -> None:
    jobs = [
        waiting("r3", depth=5, dropout=0.75, batch_norm=False).model_copy(
            update={"state": JobState.RUNNING, "progress": Progress(epoch=1, epochs=2)}
        ),
        waiting("r4", depth=5, dropout=0.75, batch_norm=True),
        waiting("r5", JobState.FAILED, depth=8, dropout=0.25, batch_norm=False),
        waiting("r6", JobState.CANCELLED, depth=8, dropout=0.25, batch_norm=True),
    ]
    results = [
        measured("r1", 0.7, depth=5, dropout=0.25, batch_norm=False),
        measured("r2", 0.9, depth=5, dropout=0.25, batch_norm=True),
    ]
    grid, beside = sections(sweep(), jobs, results)
    titles = [column.title for column in grid.columns]
    assert titles == ["Depth, last layer", "DO(0.25)", "DO(0.25)+BN", "DO(0.75)", "DO(0.75)+BN"]
    rows = shown(grid)
    assert list(rows) == [f"{depth} {layer}" for depth, layer in LAYERS.items()]
    assert rows["5 CONV(5, 64)"] == [0.7, 0.9, "epoch 1/2", "queued"]
    assert rows["8 CONV(5, 64)"] == ["failed", "cancelled", "X", "X"]
    assert rows["1 CONV(5, 32)"] == ["X"] * 4
    bold = [cell for row in grid.rows for cell in row if isinstance(cell, Number) and cell.bold]
    assert [cell.value for cell in bold] == [0.9]
    assert grid.heat == "good"
    assert "clips of a full second" in grid.note
    assert "2 of 8 cells measured, 1 running, 1 queued, 1 failed, 1 cancelled" in grid.note
    known = {
        (cell.depth, cell.dropout, cell.batch_norm): cell.accuracy for cell in published.fine_tuning("ch32")
    }
    theirs = known[5, 0.25, False]
    assert theirs is not None
    assert shown(beside)["5 CONV(5, 64)"][:3] == [0.7, theirs, pytest.approx(0.7 - theirs)]
    assert shown(beside)["1 CONV(5, 32)"][:3] == ["X", "X", None]
    assert {len(row) for row in beside.rows} == {len(beside.columns)}


def test_seeds_are_averaged_and_all_clips_are_taken_where_no_clip_is_full() -> None:
    asked = sweep(grid=Grid(depths=(5,), dropouts=(0.25,), batch_norms=(False,), seeds=2))
    place = {"depth": 5, "dropout": 0.25, "batch_norm": False}
    results = [measured("r1", 0.7, **place), measured("r2", 0.9, seed=1, **place)]
    (grid, _) = sections(asked, [], results)
    assert shown(grid)["5 CONV(5, 64)"] == [pytest.approx(0.8)]
    assert "mean over 2 seeds" in grid.note
    short = [
        result.model_copy(
            update={"content": result.content.model_copy(update={"test_accuracy_full_length": None})}
        )
        for result in results
    ]
    (grid, _) = sections(asked, [], short)
    assert shown(grid)["5 CONV(5, 64)"] == [pytest.approx(0.8)]
    assert "on all clips" in grid.note


def test_synthetic_speech_and_a_pause_are_said() -> None:
    data = SPEECH.model_copy(update={"synthetic": True})
    grid, _ = sections(
        sweep(data=data, paused_by="lee"), [waiting("r1", depth=5, dropout=0.25, batch_norm=False)], []
    )
    assert "synthetic speech" in grid.title
    assert shown(grid)["5 CONV(5, 64)"][0] == "paused"
    assert "1 paused by lee" in grid.note


def test_an_architecture_without_published_table_has_the_grid_alone() -> None:
    asked = sweep(recipe=sweep().recipe.model_copy(update={"architecture": "ch64"}))
    assert len(fine_tuning_table("ch64", [(asked, cells(trials(asked, [], [])))]).sections) == 1


def test_a_store_of_the_first_version_gets_sweeps_and_keeps_its_jobs(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    job = examples.job("r1").model_dump(mode="json", exclude={"recipe", "progress", "sweep"})
    row = {**job, "recipe": examples.recipe().model_dump_json(), "progress": "{}"}
    del row["submitted_at"]
    row |= {"asked_by": row.pop("requested_by"), "asked_at": round(examples.NOON.timestamp() * 1000)}
    database_of(file, "0001", "jobs", row)
    database = open_database(file)
    store = JobStore(database)
    assert store.job("r1") == examples.job("r1")
    assert store.add_sweep(sweep()) == sweep()
    grown = store.add_sweep(sweep(grid=Grid(depths=(1,)), requested_by="lee"))
    assert (grown.grid.depths, grown.requested_by) == ((1, 5, 8), "kim")
    assert store.pause_sweep("s1", "lee").paused_by == "lee"
    assert store.sweeps() == [grown.model_copy(update={"paused_by": "lee"})]
    with pytest.raises(NotFoundError):
        store.pause_sweep("s2", "lee")
    database.dispose()


def run_command(*arguments: str, command: str = "sweep") -> object:
    answer = CliRunner().invoke(command_line, [command, *arguments, "--json"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def test_a_sweep_runs_pauses_grows_and_measures_nothing_twice(
    sheetrack: Sheetrack, speech: Path, tmp_path: Path
) -> None:
    here = next(iter(sheetrack.servers))
    first = [
        "ch32",
        "--depth",
        "3",
        "--dropout",
        "0.25",
        "--server",
        here,
        "--data",
        str(speech),
        "--epochs",
        "1",
    ]
    started = run_command(*first)
    assert isinstance(started, dict)
    assert len(started["queued"]) == 2
    run_command("ch32", "--pause")
    sheetrack.queue.advance()
    assert {job.reason.split(" by ")[0] for job in sheetrack.jobs.unfinished_jobs()} == {"paused"}
    run_command("ch32", "--resume")
    advance_until(sheetrack, lambda: not sheetrack.jobs.unfinished_jobs())
    values = sheetrack.workbook.read("Fine-tuning ch32")
    row = next(row for row in values if row[0] == "3 CONV(5, 32)")
    ended = sheetrack.jobs.finished_jobs(5)
    assert [job.state for job in ended] == [JobState.DONE] * 2, [job.reason for job in ended]
    accuracy = {
        result.content.recipe.batch_norm: result.content.test_accuracy_full_length
        for result in sheetrack.jobs.results()
    }
    assert row[1:] == [accuracy[False], accuracy[True]]
    grown = run_command(*first[:2], "2-3", *first[3:])
    assert isinstance(grown, dict)
    assert grown["id"] == started["id"]
    assert [cell["accuracy_full_length"] for cell in grown["cells"]] == [None, None, *row[1:]]
    assert [sheetrack.jobs.job(job).recipe.depth for job in grown["queued"]] == [2, 2]
    sheetrack.queue.cancel(grown["queued"][0], "kim")
    # Without --data the only data set there is.
    again = run_command("ch32", "--depth", "2-3", "--dropout", "0.25", "--server", here, "--epochs", "1")
    assert isinstance(again, dict)
    assert len(again["queued"]) == 1
    runs = [result.run for result in sheetrack.jobs.results()]
    picture = tmp_path / "comparison.png"
    compared = run_command(*runs, "--picture", str(picture), command="compare")
    assert isinstance(compared, dict)
    assert [compared[side]["name"] for side in "ab"] == runs
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert (sheetrack.home.comparisons / runs[0] / f"{runs[1]}.png").exists()
    assert sheetrack.workbook.read(f"Compare {runs[0]} {runs[1]}")
    listed = run_command()
    assert isinstance(listed, list)
    assert [view["grid"]["depths"] for view in listed] == [[2, 3]]


def test_what_cannot_be_swept_is_refused_and_leaves_nothing(sheetrack: Sheetrack, speech: Path) -> None:
    here = next(iter(sheetrack.servers))
    start = sheetrack.sweeps.start
    base = Recipe(data=str(speech))
    with pytest.raises(NotFoundError, match="no server 'gpu99'"):
        start("gpu99", base, Grid(depths=(5,)), "kim")
    with pytest.raises(InvalidError, match="ch32 has no depth 12"):
        start(here, base, Grid(depths=(5, 12)), "kim")
    with pytest.raises(InvalidError, match="no data folder"):
        start(here, base.model_copy(update={"data": "/nowhere"}), Grid(depths=(5,)), "kim")
    with pytest.raises(InvalidError, match="more than 1,000"):
        start(here, base, Grid(depths=tuple(range(1, 10)), dropouts=tuple(n / 100 for n in range(90))), "kim")
    with pytest.raises(InvalidError, match="folder"):
        start(here, base.model_copy(update={"data": str(speech / "bed")}), Grid(depths=(5,)), "kim")
    with pytest.raises(NotFoundError, match="no sweep 'ch32'"):
        sheetrack.sweeps.pause("ch32", "kim")
    assert sheetrack.jobs.sweeps() == []
    assert sheetrack.jobs.unfinished_jobs() == []
