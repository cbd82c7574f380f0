"""Cancelling from the command line, with and without a backend that serves."""

from pathlib import Path

from click.testing import CliRunner

from backend.cli import sheetrack as command_line
from backend.jobs.job import JobState
from backend.jobs.sweep import Grid
from backend.service.serving import serving
from backend.service.wiring import Sheetrack
from backend.settings import this_user
from models.recipe import Recipe
from models.run_folder import RunFolder
from tests.cli.command_line import data, run_here
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


def test_a_sweep_takes_the_servers_and_gpus_that_were_asked_for(sheetrack: Sheetrack, speech: Path) -> None:
    words = ("sweep", "ch32", "--data", str(speech), "--server", "any", "--depth", "4", "--gpus", "0")
    started = data(run_here(*words, "--json"))
    jobs = [sheetrack.jobs.job(job) for job in started["queued"]]
    assert len(jobs) == 4
    assert {(job.servers, job.gpus) for job in jobs} == {(("any",), 0)}
