"""One server's jobs, started and followed, whatever goes wrong with one of them."""

import logging
import sqlite3
import threading

import pytest

from backend.database import open_database
from backend.errors import InvalidError, UnavailableError
from backend.jobs.job import Job, JobState
from backend.settings import Home
from models.run_folder import RunFolder
from tests.jobs.scripted import ScriptedEngine, ScriptedLab, seen
from tests.patience import PATIENCE_SECONDS


def test_an_error_of_one_job_is_its_reason_and_logged_once(
    lab: ScriptedLab, engine: ScriptedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    faulty, healthy = lab.started("gpu1"), lab.started("gpu2")

    def fail(job: Job) -> None:
        if job.id == faulty.id:
            raise ZeroDivisionError("no clips")

    engine.on_poll = fail
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            lab.queue.advance()
    assert seen(lab, faulty) == (JobState.RUNNING, "ZeroDivisionError: no clips")
    assert seen(lab, healthy) == (JobState.RUNNING, "")
    assert [record.getMessage() for record in caplog.records] == [
        f"job {faulty.id} on gpu1: ZeroDivisionError: no clips"
    ]
    engine.on_poll = lambda _: None
    lab.queue.advance()
    assert seen(lab, faulty) == (JobState.RUNNING, "")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ZeroDivisionError("no clips"), "ZeroDivisionError: no clips"),
        (InvalidError("The recipe is wrong.", "Launch it again."), "The recipe is wrong. Launch it again."),
    ],
)
def test_a_start_that_fails_is_the_end_of_that_job_alone(
    lab: ScriptedLab, engine: ScriptedEngine, error: Exception, reason: str
) -> None:
    job, next_one = lab.job(), lab.job()

    def fail(starting: Job) -> None:
        if starting.id == job.id:
            engine.running.clear()
            raise error

    engine.on_start = fail
    for _ in range(3):
        lab.queue.advance()
    assert seen(lab, job) == (JobState.FAILED, reason)
    assert lab.store.job(next_one.id).state.holds_server


def test_an_error_after_the_start_loses_no_training(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    def fail(_: Job) -> None:
        raise ZeroDivisionError("no clips")

    engine.on_start = fail  # its processes run
    job = lab.job()
    lab.queue.advance()
    assert seen(lab, job) == (JobState.STARTING, "ZeroDivisionError: no clips")
    engine.on_start = lambda _: None
    lab.queue.advance()
    lab.queue.advance()
    assert seen(lab, job) == (JobState.RUNNING, "")


def test_what_cannot_start_now_waits_and_says_why(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    def fail(_: Job) -> None:
        engine.running.clear()
        raise UnavailableError("The disk is full.", "Free some space.")

    engine.on_start = fail
    job = lab.job()
    for _ in range(2):
        lab.queue.advance()
        assert seen(lab, job) == (JobState.QUEUED, "The disk is full. Free some space.")
    assert engine.calls == [f"start {job.id}"]
    assert lab.store.job(job.id).started_at is None


@pytest.mark.parametrize("content", [b"\xff", b"[" * 100_000, b'{"epoch": "x"}', None])
def test_progress_that_cannot_be_read_is_the_job_s_reason(lab: ScriptedLab, content: bytes | None) -> None:
    job = lab.started()
    file = RunFolder(lab.home.runs / job.id).progress_file
    file.mkdir() if content is None else file.write_bytes(content)
    lab.queue.advance()
    state, reason = seen(lab, job)
    assert state is JobState.RUNNING
    assert reason.startswith(f"{file} cannot be read: ")


def test_a_job_without_a_recipe_fails_and_the_next_one_starts(
    lab: ScriptedLab, engine: ScriptedEngine, home: Home
) -> None:
    job, next_one = lab.job(), lab.job()
    with sqlite3.connect(home.store_file) as connection:
        connection.execute("UPDATE jobs SET recipe = '{' WHERE id = ?", [job.id])
    connection.close()
    lab.queue.advance()
    lab.queue.advance()
    assert seen(lab, job) == (JobState.FAILED, "The stored recipe cannot be read.")
    assert engine.calls == [f"start {next_one.id}"]


def test_a_server_that_hangs_delays_its_own_jobs_only(home: Home) -> None:
    answer = threading.Event()
    silent = {f"far{number}": ScriptedEngine() for number in range(6)}
    here = ScriptedEngine()
    database = open_database(home.store_file)
    lab = ScriptedLab(home, database, {**silent, "here": here})
    hanging = [lab.started(name) for name in silent]
    for engine in silent.values():
        engine.on_poll = lambda _: answer.wait()
    quick = lab.job("here")
    for _ in range(4):
        lab.queue.advance(wait_seconds=0)
        lab.queue._lanes["here"].wait(PATIENCE_SECONDS)  # the others are still being asked
    assert seen(lab, quick) == (JobState.RUNNING, "")
    here.running.clear()
    lab.queue.advance(wait_seconds=0)
    lab.queue._lanes["here"].wait(PATIENCE_SECONDS)
    ended = f"it ended without a result: the last words of {quick.id}"
    assert seen(lab, quick) == (JobState.FAILED, ended)
    assert {seen(lab, job)[0] for job in hanging} == {JobState.RUNNING}
    for name, engine in silent.items():
        engine.running.clear()
        assert len([thread for thread in threading.enumerate() if thread.name == f"jobs on {name}"]) == 1
    answer.set()
    lab.queue.advance()
    lab.queue.advance()
    assert {seen(lab, job)[0] for job in hanging} == {JobState.FAILED}
    lab.queue.close()
    database.dispose()
