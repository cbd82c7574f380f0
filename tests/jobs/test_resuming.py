"""Jobs that end without a result, and go on."""

import sqlite3
import time

import pytest
from sqlalchemy.exc import OperationalError

from backend.errors import ConflictError, UnavailableError
from backend.jobs.engines import LostError
from backend.jobs.job import Job, JobState
from backend.jobs.store import JobStore
from models.recipe import Recipe
from models.result import Epoch, Progress
from models.run_folder import RunFolder
from tests import examples
from tests.jobs.scripted import ScriptedEngine, ScriptedLab, seen
from tests.jobs.swept import sweep


def folder_of(lab: ScriptedLab, job: Job) -> RunFolder:
    return RunFolder(lab.home.runs / job.id)


def train(lab: ScriptedLab, job: Job, epochs: int) -> None:
    """Leaves what a training leaves after so many epochs."""
    lines = [Epoch(epoch=number).model_dump_json() + "\n" for number in range(1, epochs + 1)]
    folder_of(lab, job).history_file.write_text("".join(lines))


def die(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    """Ends what runs, and lets the queue see it."""
    engine.running.clear()
    lab.queue.advance()


def test_a_job_with_a_checkpoint_goes_on_at_its_place(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    job, next_one = lab.started(), lab.job()
    train(lab, job, 31)
    engine.running.clear()
    lab.queue.advance()
    again = lab.store.job(job.id)
    continues = f"continues from epoch 31 (it ended without a result: the last words of {job.id})"
    assert (again.state, again.reason, again.attempt) == (JobState.QUEUED, continues, 2)
    assert (again.handle, again.started_at, again.ended_at) == (None, None, None)
    for _ in range(2):
        lab.queue.advance()
    assert seen(lab, job) == (JobState.RUNNING, continues)
    assert seen(lab, next_one)[0] is JobState.QUEUED
    assert engine.calls == [f"start {job.id}"] * 2
    lab.leave_result(job)
    engine.running.clear()
    lab.queue.advance()
    assert seen(lab, job) == (JobState.DONE, "")


def test_three_attempts_without_a_new_epoch_are_the_most(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    job = lab.started()
    for epochs in (2, 2, 2, 5, 5, 5):
        train(lab, job, epochs)
        engine.running.clear()
        lab.queue.advance()
        assert seen(lab, job)[0] is JobState.QUEUED
        lab.queue.advance()
        lab.queue.advance()
        assert seen(lab, job)[0] is JobState.RUNNING
    engine.running.clear()
    lab.queue.advance()
    assert seen(lab, job) == (JobState.FAILED, f"it ended without a result: the last words of {job.id}")
    assert lab.store.job(job.id).attempt == 7


def test_without_a_checkpoint_it_has_failed(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    job = lab.started()
    die(lab, engine)
    assert seen(lab, job) == (JobState.FAILED, f"it ended without a result: the last words of {job.id}")


def test_a_cancelled_one_does_not_go_on(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    job = lab.started()
    train(lab, job, 3)
    lab.queue.cancel(job.id, "lee")
    die(lab, engine)
    assert seen(lab, job) == (JobState.CANCELLED, "cancelled by lee")


def test_a_server_that_was_away_is_the_cause(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    job = lab.started()
    train(lab, job, 3)

    def silence(_: Job) -> None:
        raise LostError("The agent does not answer.")

    engine.on_poll = silence
    lab.queue.advance()
    # A hung server may still be training.
    for _ in range(3):
        lab.queue.advance()
        assert seen(lab, job) == (JobState.LOST, "The agent does not answer.")
    lab.queue._lanes["gpu1"]._lost_at[job.id] = time.monotonic() - 240
    engine.on_poll = lambda _: None
    engine.running.clear()
    lab.queue.advance()
    assert seen(lab, job) == (JobState.QUEUED, "continues from epoch 3 (server was away 4 min)")


def test_one_that_ended_for_want_of_space_goes_on(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    job = lab.started()
    with pytest.raises(OSError, match="No space"), folder_of(lab, job).lock():
        raise OSError(28, "No space left on device")
    engine.running.clear()
    lab.queue.advance()
    assert seen(lab, job) == (JobState.QUEUED, "starts again (its disk was full)")


def test_a_training_at_its_time_limit_is_resumed_by_a_person(
    lab: ScriptedLab, engine: ScriptedEngine
) -> None:
    job = lab.started()
    train(lab, job, 3)
    folder_of(lab, job).progress_file.write_text(Progress(phase="timed out").model_dump_json())
    assert lab.queue.resume(job.id, "lee").state is JobState.RUNNING
    die(lab, engine)
    assert seen(lab, job) == (JobState.TIMED_OUT, "its time limit is over: resume it to train on")
    assert lab.store.job(job.id).ended_at
    resumed = lab.queue.resume(job.id, "lee")
    assert (resumed.state, resumed.reason) == (JobState.QUEUED, "continues from epoch 3 (resumed by lee)")
    assert lab.queue.resume(job.id, "kim") == resumed
    folder_of(lab, job).progress_file.unlink()
    lab.queue.advance()
    lab.queue.advance()
    lab.leave_result(job)
    die(lab, engine)
    with pytest.raises(ConflictError, match="has its result already"):
        lab.queue.resume(job.id, "lee")


def test_a_failed_and_a_cancelled_one_are_resumed(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    failed = lab.started()
    die(lab, engine)
    cancelled = lab.job()
    lab.queue.cancel(cancelled.id, "lee")
    for job in (failed, cancelled):
        assert lab.queue.resume(job.id, "kim").reason == "starts again (resumed by kim)"


def test_a_sweep_pauses_when_three_in_a_row_fail_alike(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    jobs = [lab.queue.queue("gpu1", examples.recipe(), "kim", sweep="s1") for _ in range(4)]
    lab.store.add_sweep(sweep())
    for job in jobs[:3]:
        assert not lab.store.sweeps()[0].paused_by
        for _ in range(2):
            lab.queue.advance()
        die(lab, engine)
        assert seen(lab, job)[0] is JobState.FAILED
    by = lab.store.sweeps()[0].paused_by
    cause = f"it ended without a result: the last words of {jobs[2].id}"
    assert by == f"Sheetrack, because 3 trainings in a row failed: {cause}"
    lab.queue.advance()
    assert seen(lab, jobs[3]) == (JobState.QUEUED, f"paused by {by}")


def test_no_progress_is_a_reason(lab: ScriptedLab) -> None:
    job = lab.started()
    folder_of(lab, job).progress_file.write_text(Progress(phase="training", epoch=1).model_dump_json())
    lab.queue.advance()
    assert seen(lab, job) == (JobState.RUNNING, "")
    lane = lab.queue._lanes["gpu1"]
    for minutes, words in ((9, ""), (11, "no progress for 10 min"), (25, "no progress for 20 min")):
        lane._progressed[job.id] = (lane._progressed[job.id][0], time.monotonic() - minutes * 60)
        lab.queue.advance()
        assert seen(lab, job) == (JobState.RUNNING, words)
    folder_of(lab, job).progress_file.write_text(Progress(phase="training", epoch=2).model_dump_json())
    lab.queue.advance()
    assert seen(lab, job) == (JobState.RUNNING, "")


def test_a_pending_job_is_shown_as_pending(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    job = lab.job()
    engine.pending.add(job.id)
    engine.notes[job.id] = "pending in Ray: no resources"
    for _ in range(3):
        lab.queue.advance()
    assert seen(lab, job) == (JobState.STARTING, "pending in Ray: no resources")
    engine.pending.clear()
    engine.notes.clear()
    lab.queue.advance()
    assert seen(lab, job) == (JobState.RUNNING, "")


def test_a_job_that_was_forgotten_before_it_started_starts_again(
    lab: ScriptedLab, engine: ScriptedEngine
) -> None:
    job = lab.started()
    engine.forgotten.add(job.id)
    engine.notes[job.id] = "Ray forgot it before it started"
    lab.queue.advance()
    again = lab.store.job(job.id)
    assert (again.state, again.attempt, again.handle) == (JobState.QUEUED, 2, None)
    assert again.reason == "starts again (Ray forgot it before it started)"
    engine.forgotten.clear()
    engine.notes.clear()
    for _ in range(2):
        lab.queue.advance()
    assert seen(lab, job) == (JobState.RUNNING, again.reason)


def full(*_: object, **__: object) -> None:
    raise OperationalError("UPDATE jobs", {}, sqlite3.OperationalError("database or disk is full"))


def test_a_full_disk_keeps_no_job_from_being_cancelled(
    lab: ScriptedLab, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, waiting = lab.started(), lab.job()
    train(lab, job, 3)
    with monkeypatch.context() as patch:
        patch.setattr(JobStore, "change_job", full)
        for each in (job, waiting):
            with pytest.raises(UnavailableError, match=r"was asked to end, .* The disk is full"):
                lab.queue.cancel(each.id, "lee")
        assert engine.calls == [f"start {job.id}", f"stop {job.id}"]
        engine.running.clear()
        lab.queue.advance()
    # As the next backend sees it, once there is space.
    another = lab.another_queue({"gpu1": engine})
    for _ in range(3):
        another.advance()
    assert seen(lab, job) == (JobState.CANCELLED, "cancelled by lee")
    assert seen(lab, waiting)[0] is JobState.CANCELLED
    assert engine.calls.count(f"start {waiting.id}") == 0


def test_a_full_disk_keeps_no_sweep_from_being_cancelled(
    lab: ScriptedLab, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [lab.queue.queue("gpu1", examples.recipe(), "kim", sweep="s1") for _ in range(2)]
    for _ in range(2):
        lab.queue.advance()
    with monkeypatch.context() as patch:
        patch.setattr(JobStore, "cancel_jobs", full)
        with pytest.raises(UnavailableError, match=r"2 jobs were asked to end, .* The disk is full"):
            lab.queue.cancel_sweep("s1", "lee")
    assert engine.calls == [f"start {jobs[0].id}", f"stop {jobs[0].id}"]
    engine.running.clear()
    for _ in range(3):
        lab.queue.advance()
    assert [seen(lab, job)[0] for job in jobs] == [JobState.CANCELLED] * 2


def test_a_launch_that_cannot_be_stored_leaves_nothing(
    lab: ScriptedLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.job()
    before = list(lab.home.runs.iterdir())
    monkeypatch.setattr(JobStore, "add_job", full)
    with pytest.raises(OperationalError):
        lab.queue.launch("gpu1", Recipe(data="speech"), "kim")
    assert list(lab.home.runs.iterdir()) == before
