from datetime import timedelta

import pytest

from backend.jobs.ending import ended_on_ray, rebooted, why_it_ended
from models.result import ended
from tests import examples
from tests.examples import NOON

EPOCHS = "note: this processor has no bfloat16\nepoch 1/9: loss 2.1, training 3 %\nepoch 2/9: loss 1.9, training 5 %"
TRACEBACK = "epoch 3/9: loss 1.8\nTraceback (most recent call last):\n  File \"a.py\"\nKeyError: 'x'\nbye"


@pytest.mark.parametrize(
    ("ending", "log", "reason"),
    [
        ("killed by signal 9", EPOCHS, "killed by signal 9"),
        ("killed by signal 9", f"error: of the attempt before\n{EPOCHS}", "killed by signal 9"),
        ("", EPOCHS, "it ended without a result and without a word in its log"),
        ("", "", "it ended without a result and without a word in its log"),
        ("", "all done", "it ended without a result: all done"),
        ("exit status 1", TRACEBACK, "exit status 1: KeyError: 'x'"),
        ("exit status 3", "a\nb\nc\nd", "exit status 3: b · c · d"),
        ("exit status 1", "error: no data folder /x", "error: no data folder /x"),
        ("exit status 7", "error: no data folder /x", "exit status 7: error: no data folder /x"),
        ("there is no program 'x'", "error: there is no program 'x'", "error: there is no program 'x'"),
        ("exit status 1", "torch.OutOfMemoryError: CUDA", "exit status 1: torch.OutOfMemoryError: CUDA"),
        ("exit status 2", "\x1b[2Jx", "exit status 2: \N{REPLACEMENT CHARACTER}[2Jx"),
    ],
)
def test_the_reason_says_how_it_ended_and_never_epochs_alone(ending: str, log: str, reason: str) -> None:
    assert why_it_ended(ending, log) == reason


def test_a_server_that_was_started_after_the_job_was_rebooted() -> None:
    job = examples.job(started_at=NOON)
    assert rebooted(job, NOON - timedelta(hours=1)) == ""
    assert rebooted(job, None) == ""
    assert rebooted(examples.job(), NOON) == ""
    assert rebooted(job, NOON + timedelta(minutes=2)).startswith("gpu1 was rebooted at ")


def test_ray_is_quoted_without_the_output_of_the_job() -> None:
    message = "Job entrypoint command failed with exit code {}, last available logs (...):\nepoch 1/9"
    assert ended_on_ray("FAILED", message.format(3)) == "exit status 3"
    assert ended_on_ray("FAILED", message.format(-9)) == "killed by signal 9"
    assert ended_on_ray("FAILED", message.format(137)) == "exit status 137, which tells of signal 9"
    died = "Job supervisor actor died unexpectedly.\nmore"
    assert ended_on_ray("FAILED", died) == "Ray says: Job supervisor actor died unexpectedly."
    assert ended_on_ray("STOPPED", "") == "Ray says: STOPPED"
    assert ended_on_ray("RUNNING", "Job is currently running.") == "it ended while Ray's head was away"
    assert ended_on_ray("SUCCEEDED", "Job finished successfully.") == ""


def test_signals_are_named_by_what_they_are_sent_for() -> None:
    assert ended(None, 9, "out of memory: the kernel's log says so") == (
        "killed by signal 9 (out of memory: the kernel's log says so)"
    )
    assert ended(None, 11) == "killed by signal 11 (segmentation fault)"
    assert ended(0) == "exit status 0"
