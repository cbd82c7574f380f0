"""The life of a job with the real parts: a real store, real processes, real trainings of tones."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from backend.database import open_database
from backend.errors import InvalidError, NotFoundError, UnavailableError
from backend.jobs.engines import ProcessState
from backend.jobs.job import JobState, Resources
from backend.servers.server import this_machine
from backend.servers.state import ServerStatus
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models.command import Command
from models.process import Identity
from models.recipe import Recipe
from models.run_folder import RunFolder
from tests.jobs.ending import ended
from tests.jobs.following import advance_until, state, tab_column
from tests.jobs.scripted import ScriptedEngine, ScriptedLab, idle_server
from tests.patience import wait_until


def recipe(speech: Path, **changes: object) -> Recipe:
    small = {"architecture": "ch32", "depth": 4, "epochs": 1, "data": str(speech)}
    return Recipe.model_validate(small | changes)


def server(sheetrack: Sheetrack) -> str:
    return next(iter(sheetrack.servers))


def test_a_launched_training_runs_and_its_result_appears_in_the_workbook(
    sheetrack: Sheetrack, speech: Path
) -> None:
    asked = recipe(speech, name='=IMPORTXML("http://127.0.0.1")')
    job = sheetrack.queue.launch(server(sheetrack), asked, "kim")
    assert job.state is JobState.QUEUED
    advance_until(sheetrack, lambda: state(sheetrack, job).is_over)
    stored = sheetrack.jobs.job(job.id)
    assert (stored.state, stored.reason) == (JobState.DONE, "")
    assert tab_column(sheetrack, "Results", "Run") == [job.id]
    assert tab_column(sheetrack, "Results", "By") == ["kim"]
    assert '=IMPORTXML("http://127.0.0.1")' in str(tab_column(sheetrack, "Results", "Training"))
    assert sheetrack.workbook.read(f"Run {job.id}")[0] == [f"Run {job.id}"]
    sheetrack.results.collect()
    sheetrack.display.show_results()
    assert tab_column(sheetrack, "Results", "Run") == [job.id]


def test_jobs_on_one_server_run_one_after_the_other_and_say_why_they_wait(
    sheetrack: Sheetrack, speech: Path
) -> None:
    first = sheetrack.queue.launch(server(sheetrack), recipe(speech, epochs=500), "kim")
    second = sheetrack.queue.launch(server(sheetrack), recipe(speech), "lee")
    advance_until(sheetrack, lambda: state(sheetrack, first) is JobState.RUNNING)
    waiting = sheetrack.jobs.job(second.id)
    assert (waiting.state, waiting.reason) == (JobState.QUEUED, "a CPU job of kim runs on this server")
    sheetrack.queue.cancel(first.id, "kim")
    advance_until(sheetrack, lambda: state(sheetrack, second).holds_server)


def test_a_reserved_server_is_kept_for_whoever_reserved_it(home: Home, tmp_path: Path) -> None:
    home.peoples_tabs.mkdir(parents=True)
    here = this_machine()
    home.settings_file.write_text('[reservations]\ntab = "Reservations.csv"\n')
    (home.peoples_tabs / "Reservations.csv").write_text(
        f"Server,User,Until\n{here},Kim Lee,2020-01-01\n{here},Max,2999-12-31 18:00\n"
    )
    parts = Sheetrack(home)
    assert parts.reservations
    parts.reservations.refresh()
    kims, maxs = (parts.queue.launch(here, recipe(tmp_path), person) for person in ("kim", "max@lab.example"))
    parts.queue.advance()
    waiting = parts.jobs.job(kims.id)
    assert waiting.state is JobState.QUEUED
    assert waiting.reason == f"{here} is reserved by Max until 2999-12-31 18:00"
    # Nothing was read of the server, so it is Max's turn, and no more than that.
    assert parts.jobs.job(maxs.id).reason == f"{here} is stale: no reading yet"
    (home.peoples_tabs / "Reservations.csv").write_text("Server,User\n")
    parts.reservations.refresh()
    parts.queue.advance()
    assert parts.jobs.job(kims.id).reason == f"{here} is stale: no reading yet"
    parts.close()


def test_cancelling_ends_the_whole_tree_of_processes(sheetrack: Sheetrack, speech: Path) -> None:
    job = sheetrack.queue.launch(server(sheetrack), recipe(speech, epochs=500), "kim")
    advance_until(sheetrack, lambda: state(sheetrack, job) is JobState.RUNNING)
    folder = RunFolder(sheetrack.home.runs / job.id)
    advance_until(sheetrack, lambda: folder.trainer_pid() is not None)
    pid = folder.trainer_pid()
    assert pid is not None
    assert os.getpgid(pid) == pid
    assert sheetrack.queue.cancel(job.id, "lee").state is JobState.CANCELLING
    cancelled = ended(sheetrack, job)
    assert (cancelled.state, cancelled.reason) == (JobState.CANCELLED, "cancelled by lee")
    assert not psutil.pid_exists(pid)
    assert sheetrack.queue.cancel(job.id, "kim") == cancelled


def test_a_server_taken_out_of_the_file_loses_no_training(sheetrack: Sheetrack, speech: Path) -> None:
    running = sheetrack.queue.launch(server(sheetrack), recipe(speech, epochs=500), "kim")
    advance_until(sheetrack, lambda: state(sheetrack, running) is JobState.RUNNING)
    waiting = sheetrack.queue.launch(server(sheetrack), recipe(speech), "kim")
    sheetrack.home.servers_file.write_text('[[server]]\nname = "another"\n')
    without = Sheetrack(sheetrack.home)
    without.queue.advance()
    jobs = [without.jobs.job(job.id) for job in (running, waiting)]
    assert [job.state for job in jobs] == [JobState.LOST, JobState.QUEUED]
    assert all("put it back into servers.toml" in job.reason for job in jobs)
    without.close()
    sheetrack.queue.advance()
    assert state(sheetrack, running) is JobState.RUNNING


def test_a_training_that_dies_is_failed_with_its_last_words(sheetrack: Sheetrack, tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    job = sheetrack.queue.launch(server(sheetrack), recipe(empty), "kim")
    empty.rmdir()
    advance_until(sheetrack, lambda: state(sheetrack, job).is_over)
    stored = sheetrack.jobs.job(job.id)
    assert stored.state is JobState.FAILED
    assert "nothing" in stored.reason
    assert "Traceback" not in stored.reason


def test_a_training_that_is_killed_is_failed(sheetrack: Sheetrack, speech: Path) -> None:
    job = sheetrack.queue.launch(server(sheetrack), recipe(speech, epochs=500), "kim")
    folder = RunFolder(sheetrack.home.runs / job.id)
    advance_until(sheetrack, lambda: folder.trainer_pid() is not None)
    os.kill(folder.trainer_pid() or 0, signal.SIGKILL)
    advance_until(sheetrack, lambda: state(sheetrack, job).is_over)
    assert state(sheetrack, job) is JobState.FAILED


def test_a_cancelled_job_whose_process_is_still_there_is_stopped_by_the_next_backend(
    sheetrack: Sheetrack, speech: Path
) -> None:
    job = sheetrack.queue.launch(server(sheetrack), recipe(speech, epochs=500), "kim")
    folder = RunFolder(sheetrack.home.runs / job.id)
    advance_until(sheetrack, lambda: folder.trainer_pid() is not None)
    # As if the backend had died between storing the cancellation and stopping the process.
    sheetrack.queue.cancel(job.id, "lee")
    another = Sheetrack(sheetrack.home)
    advance_until(another, lambda: state(another, job).is_over)
    assert folder.trainer_pid() is None
    assert state(another, job) is JobState.CANCELLED
    another.close()


def test_a_job_that_is_cancelled_while_it_starts_is_stopped(sheetrack: Sheetrack, speech: Path) -> None:
    job = sheetrack.queue.launch(server(sheetrack), recipe(speech, epochs=500), "kim")
    pid = Identity.model_validate_json(sheetrack.engines[server(sheetrack)].start(job)).pid
    # As if the cancellation came after the start and before it was noted: the process has no lock yet.
    sheetrack.jobs.change_job(job, state=JobState.STARTING)
    sheetrack.queue.cancel(job.id, "lee")
    assert ended(sheetrack, job).state is JobState.CANCELLED
    assert not psutil.pid_exists(pid)


def test_a_job_whose_start_was_not_noted_is_started_once(sheetrack: Sheetrack) -> None:
    scored = 'echo "{\\"accuracy\\": 0.9}" > "$SHEETRACK_RUN/result.json"'
    program = Command(command=scored, folder="/", shell=True)
    job = sheetrack.queue.launch(server(sheetrack), program, "kim", resources=Resources(gpus=0))
    # As if the backend had died after it stored "starting" and before it started anything.
    sheetrack.jobs.change_job(job, state=JobState.STARTING)
    advance_until(sheetrack, lambda: state(sheetrack, job).is_over)
    assert state(sheetrack, job) is JobState.DONE
    assert tab_column(sheetrack, "Results", "Run") == [job.id]


def test_the_same_key_launches_once(sheetrack: Sheetrack, speech: Path) -> None:
    jobs = [sheetrack.queue.launch(server(sheetrack), recipe(speech), "kim", "one-click") for _ in range(2)]
    assert jobs[0].id == jobs[1].id
    assert [folder.name for folder in sheetrack.home.runs.iterdir()] == [jobs[0].id]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"architecture": "lstm"}, "no architecture 'lstm'"),
        ({"depth": 12}, "ch32 has no depth 12"),
        ({"data": "/nowhere/at/all"}, "no data folder '/nowhere/at/all'"),
        ({"data": "../secrets"}, "no data folder"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_leaves_nothing(
    sheetrack: Sheetrack, speech: Path, changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InvalidError, match=sentence):
        sheetrack.queue.launch(server(sheetrack), recipe(speech, **changes), "kim")
    assert sheetrack.jobs.unfinished_jobs() == []
    assert not list(sheetrack.home.runs.glob("*"))


def test_an_unknown_server_is_refused(sheetrack: Sheetrack, speech: Path) -> None:
    with pytest.raises(NotFoundError, match="no server 'gpu99'"):
        sheetrack.queue.launch("gpu99", recipe(speech), "kim")


def test_jobs_for_a_server_that_takes_nothing_all_say_so(sheetrack: Sheetrack, speech: Path) -> None:
    sheetrack.home.servers_file.write_text(
        f'[[server]]\nname = "{server(sheetrack)}"\nmaintenance = "new disks"\n'
    )
    closed = Sheetrack(sheetrack.home)
    closed.status.refresh()
    jobs = [closed.queue.launch(server(closed), recipe(speech), person) for person in ("kim", "lee")]
    closed.queue.advance()
    reasons = {closed.jobs.job(job.id).reason for job in jobs}
    assert reasons == {f"{server(closed)} is in maintenance: new disks"}
    closed.close()


def test_two_starts_of_one_run_train_it_once(sheetrack: Sheetrack, speech: Path) -> None:
    folder = RunFolder.create(sheetrack.home.runs, recipe(speech, epochs=500))
    command = [sys.executable, "-m", "models", "train", str(folder.path)]
    twins = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    wait_until(lambda: any(twin.poll() is not None for twin in twins))
    loser, winner = sorted(twins, key=lambda twin: twin.poll() is None)
    assert loser.returncode == 1
    assert b"already being trained" in loser.communicate()[1]
    assert folder.trainer_pid() == winner.pid
    winner.kill()
    winner.communicate()
    assert folder.trainer_pid() is None


def test_the_engine_says_gone_of_what_never_ran(sheetrack: Sheetrack, speech: Path) -> None:
    job = sheetrack.queue.launch(server(sheetrack), recipe(speech), "kim")
    assert sheetrack.engines[server(sheetrack)].poll(job) is ProcessState.EXITED


def test_a_job_whose_server_cannot_be_judged_waits_and_others_start(home: Home) -> None:
    def status_of(server: str) -> ServerStatus:
        if server == "gpu1":
            raise ZeroDivisionError("no readings")
        return idle_server(server)

    database = open_database(home.store_file)
    engine = ScriptedEngine()
    lab = ScriptedLab(home, database, {"gpu1": engine, "gpu2": engine}, status_of)
    faulty, healthy = lab.job("gpu1"), lab.job("gpu2")
    lab.queue.advance()
    waiting = lab.store.job(faulty.id)
    assert (waiting.state, waiting.reason) == (JobState.QUEUED, "ZeroDivisionError: no readings")
    assert lab.store.job(healthy.id).state is JobState.STARTING
    database.dispose()


def test_changes_that_could_not_be_shown_are_shown_later(home: Home) -> None:
    database = open_database(home.store_file)
    lab = ScriptedLab(home, database, {"gpu1": ScriptedEngine()})
    lab.job()
    lab.fails_to_show = True
    with pytest.raises(UnavailableError):
        lab.queue.advance()
    lab.fails_to_show = False
    assert lab.shown == 0
    lab.queue.advance()
    assert lab.shown == 1
    database.dispose()
