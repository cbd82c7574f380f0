"""Cancelling from the command line, with and without a backend that serves."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.cli import sheetrack as command_line
from backend.jobs.job import JobState
from backend.jobs.sweep import Grid
from backend.service.serving import serving
from backend.service.wiring import Sheetrack
from backend.settings import Home, this_user
from models.recipe import Recipe
from models.run_folder import RunFolder
from tests.cli.command_line import data, run_here
from tests.examples import recipe_of
from tests.jobs.following import advance_until, state


def cancelled(job: str) -> str:
    answer = CliRunner().invoke(command_line, ["cancel", job], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def endless(speech: Path) -> Recipe:
    return Recipe(architecture="ch32", depth=4, epochs=900, data=str(speech))


def test_cancel_ends_a_training_while_no_backend_serves(sheetrack: Sheetrack, speech: Path) -> None:
    job = sheetrack.queue.launch(next(iter(sheetrack.servers)), endless(speech), "kim")
    folder = RunFolder(sheetrack.home.runs / job.id)
    advance_until(sheetrack, lambda: folder.trainer_pid() is not None)
    assert cancelled(job.id) == f"{job.id} is cancelled\n"
    assert folder.trainer_pid() is None
    assert state(sheetrack, job) is JobState.CANCELLED
    assert cancelled(job.id) == f"{job.id} is cancelled\n"


def test_cancel_ends_a_whole_sweep(sheetrack: Sheetrack, speech: Path) -> None:
    here = next(iter(sheetrack.servers))
    started = sheetrack.sweeps.start(here, endless(speech), Grid(depths=(4,)), "kim")
    folder = RunFolder(sheetrack.home.runs / started.queued[0])
    advance_until(sheetrack, lambda: folder.trainer_pid() is not None)
    answer = CliRunner().invoke(command_line, ["sweep", "ch32", "--cancel"], catch_exceptions=False)
    assert answer.output == f"{started.id}: ch32 on {here} is cancelled\n"
    assert folder.trainer_pid() is None
    assert {job.state for job in sheetrack.jobs.jobs_of(started.id)} == {JobState.CANCELLED}
    assert CliRunner().invoke(command_line, ["sweep", "--cancel"]).exit_code == 2


def test_cancel_waits_for_the_backend_that_serves(sheetrack: Sheetrack, speech: Path) -> None:
    with serving(sheetrack, 0):
        job = sheetrack.queue.launch(next(iter(sheetrack.servers)), endless(speech), "kim")
        folder = RunFolder(sheetrack.home.runs / job.id)
        advance_until(sheetrack, lambda: folder.trainer_pid() is not None)
        assert cancelled(job.id) == f"{job.id} is cancelled\n"
        assert folder.trainer_pid() is None


def test_a_job_may_run_anywhere_is_put_first_and_overrides_reservations(
    sheetrack: Sheetrack, speech: Path
) -> None:
    words = ("launch", "ch32", "--data", str(speech), "--server", "any")
    assert " is queued on any: ch32" in run_here(*words).stdout
    job = data(run_here(*words, "--gpus", "2", "--gpu-memory", "20.5", "--json"))
    assert (job["servers"], job["gpus"], job["gpu_memory_gib"]) == (["any"], 2, 20.5)
    assert run_here("first", job["id"]).stdout == f"{job['id']} is first\n"
    assert data(run_here("override", job["id"], "--json"))["override"]["by"] == this_user()
    put_first = sheetrack.jobs.job(job["id"]).put_first
    assert put_first
    assert put_first.by == this_user()
    assert run_here("first", "r999999").returncode == 1
    assert run_here(*words, "--gpus", "-1").returncode == 2


def test_a_relative_folder_is_found_where_jobs_run_on_this_machine_alone(
    sheetrack: Sheetrack, speech: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(speech.parent)
    words = ("--server", "any", "--json")
    launched = data(run_here("launch", "ch32", "--data", f"./{speech.name}", *words))
    assert launched["recipe"]["data"] == str(speech)
    program = data(run_here("launch", "--command", "true", "--folder", speech.name, *words))
    assert program["command"]["folder"] == str(speech)


def test_a_sweep_takes_the_servers_and_gpus_that_were_asked_for(sheetrack: Sheetrack, speech: Path) -> None:
    words = ("sweep", "ch32", "--data", str(speech), "--server", "any", "--depth", "4", "--gpus", "0")
    started = data(run_here(*words, "--json"))
    jobs = [sheetrack.jobs.job(job) for job in started["queued"]]
    assert len(jobs) == 4
    assert {(job.servers, job.gpus) for job in jobs} == {(("any",), 0)}


def test_a_sweep_tells_how_much_it_is_and_asks_before_much(sheetrack: Sheetrack, speech: Path) -> None:
    words = ("sweep", "ch32", "--data", str(speech), "--server", "any", "--epochs", "2", "--depth", "1-3")
    asked = run_here(*words)
    assert asked.returncode == 2
    assert asked.stderr.startswith("12 trainings with 24 epochs in all; how long they take is not known")
    assert "More than 10 trainings: add --yes" in asked.stderr
    assert sheetrack.jobs.unfinished_jobs() == []
    drawn = ("--vary", "learning_rate=1e-4..1e-2", "--trials", "12", "--seed", "4", "--halving", "1,3")
    started = data(run_here(*words, *drawn, "--yes", "--json"))
    recipes = [recipe_of(sheetrack.jobs.job(job)) for job in started["queued"]]
    assert len({recipe.learning_rate for recipe in recipes}) == 12
    assert {(recipe.epochs, recipe.seed) for recipe in recipes} == {(1, 4)}
    assert started["grid"]["vary"] == {"learning_rate": "1e-4..1e-2"}
    for wrong, sentence in (
        (("--vary", "learning_rate"), "is not like"),
        (("--vary", "augmentation=loud,none"), "augmentation"),
        (("--halving", "5,x"), "is not like 5,15,45"),
    ):
        assert sentence in run_here(*words, *wrong).stderr


def test_a_sweep_of_one_is_told_as_one(sheetrack: Sheetrack, speech: Path) -> None:
    words = ("sweep", "ch32", "--data", str(speech), "--server", "any", "--epochs", "1", "--depth", "4")
    one = run_here(*words, "--dropout", "0.25", "--batch-norm", "on")
    assert one.stderr.startswith("1 training with 1 epoch in all; ")
    assert "1 training is queued on any; 0 of " in one.stdout
    assert len(sheetrack.jobs.unfinished_jobs()) == 1


def test_seeds_are_as_many_trainings(sheetrack: Sheetrack, speech: Path) -> None:
    words = ("launch", "ch32", "--data", str(speech), "--server", "any", "--seed", "7", "--seeds", "3")
    jobs = data(run_here(*words, "--json"))
    assert [job["recipe"]["seed"] for job in jobs] == [7, 8, 9]
    program = ("launch", "--command", "true", "--server", next(iter(sheetrack.servers)), "--seeds", "2")
    assert "takes no seeds" in run_here(*program).stderr


def test_runs_on_a_disk_that_is_not_mounted_are_told(home: Home, speech: Path, tmp_path: Path) -> None:
    home.make()
    home.runs.symlink_to(tmp_path / "unmounted")
    ended = run_here("train", "ch32", "--data", str(speech))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: {home.runs} is no folder, or a link to one that is not there;")
