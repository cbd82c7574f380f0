"""Sweeps: stored, and a real one of tones."""

from pathlib import Path

import pytest

from backend.database import open_database
from backend.errors import InvalidError, NotFoundError
from backend.jobs.job import JobState, Resources
from backend.jobs.result import trainings
from backend.jobs.store import JobStore
from backend.jobs.sweep import Grid
from backend.jobs.sweeps import Sweeps
from backend.service.wiring import Sheetrack
from models.recipe import Recipe
from tests import examples
from tests.cli.command_line import data, run_here
from tests.examples import recipe_of
from tests.jobs.following import advance_until
from tests.jobs.scripted import ScriptedEngine, ScriptedLab
from tests.jobs.swept import sweep
from tests.models.forked import Forked
from tests.old_database import database_of


def test_a_store_of_the_first_version_gets_sweeps_and_keeps_its_jobs(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    then = {
        "id",
        "server",
        "requested_by",
        "state",
        "reason",
        "handle",
        "started_at",
        "ended_at",
        "submitted_at",
    }
    job = examples.job("r1").model_dump(mode="json", include=then)
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
    assert store.change_sweep("s1", paused_by="lee").paused_by == "lee"
    assert store.sweeps() == [grown.model_copy(update={"paused_by": "lee"})]
    with pytest.raises(NotFoundError):
        store.change_sweep("s2", paused_by="lee")
    database.dispose()


def test_each_training_is_queued_once_however_alike_they_look(lab: ScriptedLab, sweeps: Sweeps) -> None:
    grid = Grid(depths=(8,), dropouts=(0.1234561, 0.1234562), batch_norms=(False,))
    started = sweeps.start("gpu1", Recipe(data="speech"), grid, "kim")
    queued = [recipe_of(lab.store.job(job)) for job in started.queued]
    assert [recipe.dropout for recipe in queued] == [0.1234561, 0.1234562]
    assert [recipe.title for recipe in queued] == ["ch32 · 8 · DO(0.1234561)", "ch32 · 8 · DO(0.1234562)"]
    assert sweeps.start("gpu1", Recipe(data="speech"), grid, "kim").queued == []


def test_a_cancelled_sweep_ends_all_that_waits_or_runs(
    lab: ScriptedLab, sweeps: Sweeps, engine: ScriptedEngine
) -> None:
    recipe, grid = Recipe(data="speech"), Grid(depths=(8,))
    started = sweeps.start("gpu1", recipe, grid, "kim")
    other = sweeps.start("gpu2", recipe.model_copy(update={"architecture": "ch64"}), grid, "kim")
    lab.queue.advance()
    sweeps.pause(started.id, "lee")
    for _ in range(2):
        (view,) = sweeps.cancel("ch32", "lee")
        assert view.paused_by is None
    states = [job.state for job in lab.store.jobs_of(started.id)]
    assert states == [JobState.CANCELLING, *[JobState.CANCELLED] * 3]
    assert {job.reason for job in lab.store.jobs_of(started.id)} == {"cancelled by lee"}
    assert not {job.state for job in lab.store.jobs_of(other.id)} & {JobState.CANCELLING, JobState.CANCELLED}
    engine.running.clear()
    lab.queue.advance()
    assert lab.store.jobs_of(started.id)[0].state is JobState.CANCELLED
    again = sweeps.start("gpu1", recipe, grid, "kim")
    assert len(again.queued) == 4
    with pytest.raises(NotFoundError, match="no sweep 's9'"):
        sweeps.cancel("s9", "lee")


def run_command(*arguments: str, command: str = "sweep") -> object:
    answer: object = data(run_here(command, *arguments, "--json"))
    return answer


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
    for job in started["queued"]:  # by a fork: the process of the job then only finds the result
        assert Forked("train", sheetrack.home.runs / job).ended().returncode == 0
    advance_until(sheetrack, lambda: not sheetrack.jobs.unfinished_jobs())
    values = sheetrack.workbook.read("Fine-tuning ch32")
    row = next(row for row in values if row[0] == "3 CONV(5, 32)")
    ended = sheetrack.jobs.finished_jobs(5)
    assert [job.state for job in ended] == [JobState.DONE] * 2, [job.reason for job in ended]
    accuracy = {
        content.recipe.batch_norm: content.test_accuracy_full_length
        for _, content in trainings(sheetrack.jobs.results())
    }
    assert row[1:] == [accuracy[False], accuracy[True]]
    grown = run_command(*first[:2], "2-3", *first[3:])
    assert isinstance(grown, dict)
    assert grown["id"] == started["id"]
    assert [cell["accuracy_full_length"] for cell in grown["cells"]] == [None, None, *row[1:]]
    assert [recipe_of(sheetrack.jobs.job(job)).depth for job in grown["queued"]] == [2, 2]
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


def test_a_sweep_spreads_over_several_servers(lab: ScriptedLab, sweeps: Sweeps) -> None:
    grid = Grid(depths=(8,), batch_norms=(False,))
    started = sweeps.start("gpu2, gpu1", Recipe(data="speech"), grid, "kim", resources=Resources(gpus=0))
    assert (started.server, len(started.queued)) == ("gpu1,gpu2", 2)
    assert sweeps.start("gpu1,gpu2", Recipe(data="speech"), grid, "lee").queued == []
    lab.queue.advance()
    jobs = [lab.store.job(job) for job in started.queued]
    assert [job.gpus for job in jobs] == [0, 0]
    assert {job.server for job in jobs} == {"gpu1", "gpu2"}
