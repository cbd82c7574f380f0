"""A job cancelled at any moment, with processes and servers that do not do as they are asked."""

import pytest

from backend.errors import ConflictError
from backend.jobs import lane as lanes
from backend.jobs.engines import LostError
from backend.jobs.job import Job, JobState
from backend.times import now
from models.command import Command
from models.result import Exit
from models.run_folder import RunFolder
from tests.jobs.scripted import ScriptedEngine, ScriptedLab, seen


def test_a_cancelled_job_keeps_its_server_until_its_processes_are_gone(
    lab: ScriptedLab, engine: ScriptedEngine
) -> None:
    job, next_one = lab.started(), lab.job()
    engine.calls.clear()
    assert lab.queue.cancel(job.id, "lee").state is JobState.CANCELLING
    assert engine.calls == []  # nothing is waited for
    for _ in range(3):
        lab.queue.advance()
        assert seen(lab, job) == (JobState.CANCELLING, "cancelled by lee")
        assert seen(lab, next_one) == (JobState.QUEUED, "a CPU job of kim runs on this server")
    assert engine.calls == [f"stop {job.id}"]
    engine.running.clear()
    lab.queue.advance()
    assert seen(lab, job) == (JobState.CANCELLED, "cancelled by lee")
    assert lab.store.job(job.id).ended_at
    lab.queue.advance()
    assert lab.store.job(next_one.id).state.holds_server


def test_a_cancelled_job_that_will_never_start_is_over(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    job = lab.started()
    lab.queue.cancel(job.id, "lee")
    engine.forgotten.add(job.id)
    lab.queue.advance()
    assert seen(lab, job) == (JobState.CANCELLED, "cancelled by lee")


def test_cancelling_twice_is_harmless_and_what_waits_is_cancelled_at_once(
    lab: ScriptedLab, engine: ScriptedEngine
) -> None:
    job, waiting = lab.started(), lab.job()
    assert lab.queue.cancel(waiting.id, "lee").state is JobState.CANCELLED
    first = lab.queue.cancel(job.id, "lee")
    lab.queue.advance()
    assert lab.queue.cancel(job.id, "kim") == first
    engine.running.clear()
    lab.queue.advance()
    ended = lab.store.job(job.id)
    assert lab.queue.cancel(job.id, "kim") == ended
    assert lab.queue.cancel(waiting.id, "kim").reason == "cancelled by lee"


def test_processes_that_do_not_end_are_killed_again_and_again(
    lab: ScriptedLab, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = lab.started()
    lab.queue.cancel(job.id, "lee")
    lab.queue.advance()
    monkeypatch.setattr(lanes, "GRACE_SECONDS", 0)
    lab.queue.advance()
    lab.queue.advance()
    assert engine.calls[1:] == [f"stop {job.id}", f"kill {job.id}", f"kill {job.id}"]
    assert seen(lab, job) == (
        JobState.CANCELLING,
        "cancelled by lee; its processes were killed and have not ended yet",
    )
    engine.running.clear()
    lab.queue.advance()
    assert seen(lab, job) == (JobState.CANCELLED, "cancelled by lee")


def test_a_job_that_is_cancelled_while_it_starts_is_ended(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    job = lab.job()
    engine.on_start = lambda starting: lab.queue.cancel(starting.id, "lee")
    lab.queue.advance()
    stored = lab.store.job(job.id)
    assert (stored.state, stored.handle) == (JobState.CANCELLING, f"handle of {job.id}")
    lab.queue.advance()
    assert engine.calls == [f"start {job.id}", f"stop {job.id}"]
    engine.running.clear()
    lab.queue.advance()
    assert seen(lab, job) == (JobState.CANCELLED, "cancelled by lee")


def test_what_may_still_be_starting_is_waited_for(
    lab: ScriptedLab, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silence(_: Job) -> None:
        raise LostError("Ray does not answer.")

    engine.on_start = silence
    job = lab.job()
    lab.queue.advance()
    assert seen(lab, job) == (JobState.LOST, "Ray does not answer.")
    lab.queue.cancel(job.id, "lee")
    engine.running.clear()  # not there yet
    lab.queue.advance()
    assert seen(lab, job) == (JobState.CANCELLING, "cancelled by lee")
    engine.running.add(job.id)
    monkeypatch.setattr(lanes, "GRACE_SECONDS", 0)
    lab.queue.advance()
    assert engine.calls[-1] == f"kill {job.id}"
    engine.running.clear()
    lab.queue.advance()
    assert seen(lab, job)[0] is JobState.CANCELLED


def test_the_next_backend_goes_on_cancelling(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    job = lab.started()
    lab.queue.cancel(job.id, "lee")
    lab.queue.advance()
    another = lab.another_queue({"gpu1": engine})
    another.advance()
    assert engine.calls[1:] == [f"stop {job.id}"] * 2
    engine.running.clear()
    another.end_cancelled()
    assert seen(lab, job) == (JobState.CANCELLED, "cancelled by lee")


def test_a_server_that_does_not_answer_is_asked_until_it_does(
    lab: ScriptedLab, engine: ScriptedEngine
) -> None:
    def silence(_: Job) -> None:
        raise LostError("Ray does not answer.")

    job = lab.started()
    engine.on_stop = silence
    lab.queue.cancel(job.id, "lee")
    lab.queue.advance()
    lab.queue.advance()
    assert seen(lab, job) == (JobState.CANCELLING, "cancelled by lee; Ray does not answer.")
    engine.on_stop = lambda _: None
    lab.queue.advance()
    assert engine.calls[1:] == [f"stop {job.id}"] * 3
    assert seen(lab, job) == (JobState.CANCELLING, "cancelled by lee")


def test_a_result_that_was_there_first_counts(lab: ScriptedLab, engine: ScriptedEngine) -> None:
    job = lab.started()
    lab.queue.cancel(job.id, "lee")
    lab.leave_result(job)
    lab.queue.advance()
    assert seen(lab, job) == (JobState.CANCELLING, "cancelled by lee")
    engine.running.clear()
    lab.queue.advance()
    assert seen(lab, job) == (JobState.DONE, "")
    assert [result.run for result in lab.store.results()] == [job.id]
    with pytest.raises(ConflictError, match="done already"):
        lab.queue.cancel(job.id, "lee")


@pytest.mark.parametrize("was_first", [True, False])
def test_a_program_that_ended_well_is_done_unless_it_was_to_end(
    lab: ScriptedLab, engine: ScriptedEngine, *, was_first: bool
) -> None:
    job = lab.queue.queue("gpu1", Command(command="true", folder="/"), "kim")
    for _ in range(2):
        lab.queue.advance()
    folder = RunFolder(lab.home.runs / job.id)
    exited = Exit(status=0, ended_at=now()).model_dump_json()
    if was_first:
        folder.exit_file.write_text(exited)
        lab.results.collect()
    lab.queue.cancel(job.id, "lee")
    folder.exit_file.write_text(exited)
    lab.results.collect()
    engine.running.clear()
    lab.queue.advance()
    lab.results.collect()
    state = JobState.DONE if was_first else JobState.CANCELLED
    assert seen(lab, job)[0] is state
    assert [result.run for result in lab.store.results()] == [job.id] * was_first


def test_a_cancelled_job_of_a_server_that_is_gone_is_given_up(
    lab: ScriptedLab, engine: ScriptedEngine
) -> None:
    job = lab.started()
    without = lab.another_queue({"gpu2": engine})
    without.advance()
    assert seen(lab, job)[0] is JobState.LOST
    without.cancel(job.id, "lee")
    without.advance()
    assert seen(lab, job) == (
        JobState.CANCELLED,
        "cancelled by lee; gpu1 takes no trainings any more, so nothing was ended there",
    )
