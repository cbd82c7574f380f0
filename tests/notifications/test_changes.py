"""Replayed changes: what is reported, at which moment and in which words."""

from datetime import datetime

import pytest
from pydantic import ValidationError

from backend.jobs.job import Job, JobState
from backend.jobs.sweep import BY_ITSELF
from backend.notifications.changes import Followed, Notification, findings_of, follow, is_quiet, message
from backend.servers.state import Fault, ServerStatus, State, Verdict
from backend.settings import NotifySettings
from tests import examples
from tests.jobs.swept import sweep
from tests.notifications.moments import BUSY, DOWN, IDLE, MAINTENANCE, NOON, OVERLOADED, STALE, after, server

SETTINGS = NotifySettings(hold_seconds=60, idle_minutes=2)


def replay(
    trace: list[tuple[float, ServerStatus]], settings: NotifySettings = SETTINGS
) -> list[tuple[float, str]]:
    """What is reported, and at which second."""
    followed, reported = Followed(), []
    for seconds, status in trace:
        followed, texts = follow(
            followed, findings_of([status], [], after(seconds), settings), after(seconds)
        )
        reported += [(seconds, text) for text in texts]
    return reported


def every(step: float, *states: State) -> list[tuple[float, ServerStatus]]:
    return [(step * place, server(state)) for place, state in enumerate(states)]


@pytest.mark.parametrize(
    ("states", "reported"),
    [
        ([IDLE, BUSY, IDLE, BUSY, IDLE], []),
        ([IDLE, DOWN, DOWN, DOWN, DOWN, DOWN], [(90, "ada is down: so it is")]),
        ([DOWN, DOWN, DOWN, DOWN], [(60, "ada is down: so it is")]),
        # What went back before it had held for a minute.
        ([IDLE, DOWN, DOWN, IDLE, DOWN, DOWN, IDLE, IDLE, IDLE], []),
        # Flapping once it is known: no more reports until it settles.
        ([DOWN, DOWN, DOWN, IDLE, DOWN, IDLE, DOWN, IDLE, IDLE, IDLE, IDLE],
         [(60, "ada is down: so it is"), (270, "ada is back: idle, so it is")]),
        ([DOWN, DOWN, DOWN, BUSY, IDLE, BUSY, IDLE],
         [(60, "ada is down: so it is"), (150, "ada is back: busy, so it is")]),
        ([OVERLOADED, OVERLOADED, OVERLOADED, DOWN, DOWN, DOWN, DOWN],
         [(60, "ada is overloaded: so it is"), (150, "ada is down: so it is")]),
        # Unknown: neither back nor down again.
        ([DOWN, DOWN, DOWN, STALE, STALE, STALE, DOWN, DOWN, DOWN, DOWN], [(60, "ada is down: so it is")]),
        ([DOWN, DOWN, STALE, DOWN, DOWN, DOWN], [(150, "ada is down: so it is")]),
        ([STALE, STALE, STALE, STALE], []),
        # Nothing during maintenance, and what is fine afterwards is back.
        ([MAINTENANCE] * 9, []),
        ([DOWN, DOWN, DOWN, MAINTENANCE, MAINTENANCE, MAINTENANCE, IDLE, IDLE, IDLE],
         [(60, "ada is down: so it is"), (240, "ada is back: idle, so it is")]),
        ([DOWN, DOWN, MAINTENANCE, MAINTENANCE, IDLE, IDLE, IDLE], []),
    ],
)  # fmt: skip
def test_what_is_reported_of_a_server(states: list[State], reported: list[tuple[float, str]]) -> None:
    assert replay(every(30, *states)) == reported


def test_only_what_the_lab_wants_to_hear() -> None:
    trace = every(30, *[DOWN] * 4, *[IDLE] * 4, *[OVERLOADED] * 4, *[IDLE] * 4)
    assert replay(trace, SETTINGS.model_copy(update={"events": ()})) == []
    assert replay(trace, SETTINGS.model_copy(update={"events": ("overloaded", "back")})) == [
        (300, "ada is overloaded: so it is"),
        (420, "ada is back: idle, so it is"),
    ]
    assert replay(trace, SETTINGS.model_copy(update={"events": ("down",)})) == [(60, "ada is down: so it is")]


def overloaded(since: float, *, urgent: bool = False) -> ServerStatus:
    verdict = Verdict(state=State.OVERLOADED, reason="so it is", since=after(since), urgent=urgent)
    return server(OVERLOADED).model_copy(update={"verdict": verdict})


def test_what_has_lasted_already_is_not_waited_for_again() -> None:
    trace = [(0.0, server(BUSY)), (130.0, overloaded(60)), (145.0, overloaded(60))]
    assert replay(trace) == [(130, "ada is overloaded: so it is")]
    trace = [(0.0, server(BUSY)), (15.0, overloaded(0)), (75.0, overloaded(0))]
    assert replay(trace) == [(75, "ada is overloaded: so it is")]


def test_what_is_urgent_is_told_at_once() -> None:
    trace = [(0.0, server(BUSY)), (15.0, overloaded(15, urgent=True)), (30.0, server(DOWN))]
    assert replay(trace) == [(15, "ada is overloaded: so it is")]


def test_a_server_that_answers_now_and_then_is_told_though_its_state_is_unknown() -> None:
    unsteady = server(STALE).model_copy(
        update={"faults": (Fault(kind="connection", what="answers only now and then", is_warning=True),)}
    )
    trace = [(0.0, server(BUSY)), (15.0, unsteady), (30.0, server(DOWN)), (45.0, unsteady)]
    assert replay(trace) == [(15, "ada so it is")]


def test_faults_of_the_connection_are_told_beside_a_state_that_is_known() -> None:
    again = Fault(kind="connection", what="starts again and again", detail="(3 times within an hour)")
    restarts = server(BUSY).model_copy(update={"faults": (again,)})
    trace = [
        (0.0, server(BUSY)),
        (15.0, restarts),
        (30.0, restarts),
        (45.0, server(BUSY)),
        (600.0, server(BUSY)),
    ]
    assert replay(trace) == [
        (15, "ada starts again and again (3 times within an hour)"),
        (600, "ada answers steadily again."),
    ]


def test_a_reboot_is_told_once() -> None:
    again = server(BUSY).model_copy(update={"rebooted_at": after(20)})
    assert replay([(0.0, server(BUSY)), (30.0, again), (45.0, again)]) == [(30, "ada has rebooted.")]


def test_a_full_disk_is_told_with_how_full_it_is() -> None:
    full = server(BUSY).model_copy(
        update={"faults": (Fault(kind="disk", what="/home is full", detail="(1.2 GiB left)"),)}
    )
    trace = [(float(t), full if 15 <= t < 120 else server(BUSY)) for t in range(0, 240, 15)]
    assert replay(trace) == [
        (75, "Disk fault on ada: /home is full (1.2 GiB left)"),
        (180, "No disk fault on ada any more."),
    ]


def test_gpu_faults_are_reported_apart_from_the_server() -> None:
    states = [
        server(BUSY, "", ""),
        *[server(BUSY, "", "not answering")] * 4,
        *[server(BUSY, "lost", "not answering")] * 3,
        server(DOWN),
        *[server(BUSY, "", "")] * 3,
    ]
    assert replay([(30 * place, status) for place, status in enumerate(states)]) == [
        (90, "GPU fault on ada: GPU 1 not answering"),
        (210, "GPU fault on ada: GPU 0 lost; GPU 1 not answering"),
        (330, "All 2 GPUs of ada work."),
    ]


def test_a_reservation_without_use() -> None:
    mine = "kim until 2026-03-05 18:00"
    states = [
        *[server(IDLE)] * 6,
        *[server(IDLE, reserved=mine)] * 6,
        server(BUSY, reserved=mine),
        *[server(IDLE, reserved=mine)] * 4,
        *[server(BUSY, reserved=mine)] * 4,
    ]
    assert replay([(30 * place, status) for place, status in enumerate(states)]) == [
        (300, "ada is reserved by kim until 2026-03-05 18:00, but idle for 2 min")
    ]


def test_a_job_that_ended_is_reported_once_to_the_person_who_launched_it() -> None:
    done = examples.job("r1", state=JobState.DONE, ended_at=NOON)
    failed = examples.job("r2", state=JobState.FAILED, ended_at=NOON, reason="no memory", requested_by="lee")
    of_a_sweep = examples.job("r3", state=JobState.DONE, ended_at=NOON, sweep="s1")
    running = examples.running("r4")
    followed, reported = Followed(), []
    for seconds in (15, 30, 3500, 3700, 90_000):
        jobs: list[Job] = [done, failed, of_a_sweep, running]
        found = findings_of([], jobs, after(seconds), SETTINGS)
        followed, texts = follow(followed, found, after(seconds))
        reported.append(texts)
    assert reported == [
        [
            f"kim: job r1 ({done.work.title}) on gpu1 is over: done",
            f"lee: job r2 ({failed.work.title}) on gpu1 is over: failed, no memory",
        ],
        [], [], [], [],
    ]  # fmt: skip
    assert followed.reported == {}


def test_a_sweep_that_pauses_itself_is_reported_once_until_it_goes_on() -> None:
    by = f"{BY_ITSELF}3 trainings in a row failed: no memory"
    followed, reported = Followed(), []
    for seconds, who in enumerate((None, by, by, None, by, "lee")):
        paused = sweep(paused_by=who)
        found = findings_of([], [], after(seconds), SETTINGS, sweeps=[paused])
        followed, texts = follow(followed, found, after(seconds))
        reported += texts
    assert reported == [f"kim: sweep s1 (ch32) on gpu1 is paused by {by}"] * 2
    followed, _ = follow(followed, {}, NOON)
    assert followed.reported == {}


@pytest.mark.parametrize(
    ("hours", "clock", "quiet"),
    [
        ("", "03:00", False),
        ("22:00-07:00", "21:59", False),
        ("22:00-07:00", "22:00", True),
        ("22:00-07:00", "00:00", True),
        ("22:00-07:00", "06:59", True),
        ("22:00-07:00", "07:00", False),
        ("12:00-13:30", "13:29", True),
        ("12:00-13:30", "13:30", False),
        ("12:00-12:00", "12:00", False),
    ],
)
def test_quiet_hours(hours: str, clock: str, quiet: bool) -> None:
    assert is_quiet(datetime.fromisoformat(f"2026-03-04T{clock}:00+01:00"), hours) is quiet


@pytest.mark.parametrize("hours", ["22-7", "22:00", "24:00-07:00", "22:60-07:00", "at night"])
def test_what_are_no_quiet_hours(hours: str) -> None:
    with pytest.raises(ValidationError):
        NotifySettings(quiet_hours=hours)


def test_several_changes_are_one_message() -> None:
    one, two = Notification(1, after(-86_400), "ada is down"), Notification(2, after(-60), "ada is back")
    assert message([two], NOON) == ("Sheetrack", "ada is back")
    assert message([one, two], NOON) == (
        "Sheetrack: 2 changes",
        "03 Mar 12:00 ada is down\n11:59 ada is back",
    )
