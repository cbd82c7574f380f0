"""What people are told: replayed changes with what is told at each moment, and messages that really arrive."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from backend.api.app import create_app
from backend.database import open_database
from backend.errors import InvalidError
from backend.jobs.job import Job, JobState
from backend.notifications.changes import Followed, Notification, findings_of, follow, is_quiet, message
from backend.notifications.delivery import ADDRESSES_VARIABLE, read_addresses
from backend.notifications.notifier import Notifier
from backend.probe.snapshot import GpuReading, Snapshot
from backend.servers.state import ServerStatus, State, Verdict
from backend.service.doctor import examine
from backend.service.wiring import Sheetrack
from backend.settings import Home, NotifySettings
from backend.times import now
from tests import examples
from tests.servers.agents import free_port

# One of Apprise's hundred services imports a module that Python will drop.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SETTINGS = NotifySettings(hold_seconds=60, idle_minutes=2)
IDLE, BUSY, OVERLOADED, STALE, DOWN, MAINTENANCE = (
    State.IDLE, State.BUSY, State.OVERLOADED, State.STALE, State.DOWN, State.MAINTENANCE
)  # fmt: skip


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def server(state: State, *faults: str, reserved: str | None = None) -> ServerStatus:
    gpus = tuple(GpuReading(index=index, fault=fault) for index, fault in enumerate(faults))
    return ServerStatus(
        name="ada",
        verdict=Verdict(state=state, reason="so it is"),
        snapshot=None if state in (STALE, DOWN) else Snapshot(server="ada", at=NOON, gpus=gpus),
        reserved=reserved,
    )


def replay(
    trace: list[tuple[float, ServerStatus]], settings: NotifySettings = SETTINGS
) -> list[tuple[float, str]]:
    """What is told, and at which second."""
    watched, told = Followed(), []
    for seconds, status in trace:
        watched, texts = follow(watched, findings_of([status], [], after(seconds), settings), after(seconds))
        told += [(seconds, text) for text in texts]
    return told


def every(step: float, *states: State) -> list[tuple[float, ServerStatus]]:
    return [(step * place, server(state)) for place, state in enumerate(states)]


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ([IDLE, BUSY, IDLE, BUSY, IDLE], []),
        ([IDLE, DOWN, DOWN, DOWN, DOWN, DOWN], [(90, "ada is down: so it is")]),
        ([DOWN, DOWN, DOWN, DOWN], [(60, "ada is down: so it is")]),
        # What went back before it had held for a minute.
        ([IDLE, DOWN, DOWN, IDLE, DOWN, DOWN, IDLE, IDLE, IDLE], []),
        # Flapping once it is known: nothing more is said until it settles.
        ([DOWN, DOWN, DOWN, IDLE, DOWN, IDLE, DOWN, IDLE, IDLE, IDLE, IDLE],
         [(60, "ada is down: so it is"), (270, "ada is back: idle, so it is")]),
        ([DOWN, DOWN, DOWN, BUSY, IDLE, BUSY, IDLE],
         [(60, "ada is down: so it is"), (150, "ada is back: busy, so it is")]),
        ([OVERLOADED, OVERLOADED, OVERLOADED, DOWN, DOWN, DOWN, DOWN],
         [(60, "ada is overloaded: so it is"), (150, "ada is down: so it is")]),
        # Nobody knows: neither back nor down again.
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
def test_what_is_told_of_a_server(states: list[State], told: list[tuple[float, str]]) -> None:
    assert replay(every(30, *states)) == told


def test_only_what_the_lab_wants_to_hear() -> None:
    trace = every(30, *[DOWN] * 4, *[IDLE] * 4, *[OVERLOADED] * 4, *[IDLE] * 4)
    assert replay(trace, SETTINGS.model_copy(update={"events": ()})) == []
    assert replay(trace, SETTINGS.model_copy(update={"events": ("overloaded", "back")})) == [
        (300, "ada is overloaded: so it is"),
        (420, "ada is back: idle, so it is"),
    ]
    assert replay(trace, SETTINGS.model_copy(update={"events": ("down",)})) == [(60, "ada is down: so it is")]


def test_gpu_faults_are_told_apart_from_the_server() -> None:
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
        (330, "The GPUs of ada work again."),
    ]


def test_a_reservation_that_nobody_uses() -> None:
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


def test_a_job_that_ended_is_told_once_to_whoever_asked() -> None:
    done = examples.job("r1", state=JobState.DONE, ended_at=NOON)
    failed = examples.job("r2", state=JobState.FAILED, ended_at=NOON, reason="no memory", requested_by="lee")
    of_a_sweep = examples.job("r3", state=JobState.DONE, ended_at=NOON, sweep="s1")
    running = examples.running("r4")
    watched, told = Followed(), []
    for seconds in (15, 30, 3500, 3700, 90_000):
        jobs: list[Job] = [done, failed, of_a_sweep, running]
        found = findings_of([], jobs, after(seconds), SETTINGS)
        watched, texts = follow(watched, found, after(seconds))
        told.append(texts)
    assert told == [
        [
            f"kim: your training r1 ({done.recipe.title}) on gpu1 is done",
            f"lee: your training r2 ({failed.recipe.title}) on gpu1 is failed: no memory",
        ],
        [], [], [], [],
    ]  # fmt: skip
    assert watched.told == {}


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


class Channel:
    """What arrived at a real server, which may refuse it."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.status = 200


@contextmanager
def channel(port: int = 0) -> Iterator[tuple[Channel, int]]:
    arrived = Channel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if arrived.status == 200:
                arrived.messages.append(body["message"])
            self.send_response(arrived.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield arrived, listening.server_port
        finally:
            listening.shutdown()
            thread.join()


@pytest.fixture
def database(home: Home) -> Iterator[sa.Engine]:
    engine = open_database(home.store_file)
    yield engine
    engine.dispose()


def address(port: int, secret: str = "s3cret") -> str:
    return f"json://kim:{secret}@127.0.0.1:{port}/hook"


def write_addresses(home: Home, *addresses: str) -> None:
    file = home.path / "notify-urls"
    file.touch(mode=0o600)
    file.write_text("# the lab's channel\n\n" + "\n".join(addresses))


AT_ONCE = NotifySettings(hold_seconds=0)


def test_a_change_arrives_once_everywhere(home: Home, database: sa.Engine) -> None:
    with channel() as (one, port), channel() as (two, other):
        write_addresses(home, address(port), address(other))
        notifier = Notifier(database, AT_ONCE, home.path)
        for seconds in range(0, 60, 10):
            notifier.follow([server(DOWN)], [], after(seconds))
            notifier.send(after(seconds))
        assert (one.messages, two.messages) == (["ada is down: so it is"], ["ada is down: so it is"])
        assert notifier.waiting() == []
        assert notifier.error == ""


def test_nothing_is_lost_while_the_channel_is_away_or_the_backend_restarts(
    home: Home, database: sa.Engine
) -> None:
    port = free_port()
    with channel() as (near, other):
        write_addresses(home, address(port), address(other))
        notifier = Notifier(database, AT_ONCE, home.path)
        notifier.follow([server(DOWN)], [], NOON)
        notifier.send(NOON)
        assert notifier.error == "json takes no messages"
        again = Notifier(database, AT_ONCE, home.path)
        again.follow([server(DOWN)], [], after(60))
        again.follow([server(IDLE)], [], after(120))
        again.send(after(120))
        with channel(port) as (away, _):
            again.send(after(121))
            assert away.messages == []  # it is left alone for a while
            again.send(after(150))
            assert away.messages == ["12:00 ada is down: so it is\n12:02 ada is back: idle, so it is"]
        assert near.messages == ["ada is down: so it is", "ada is back: idle, so it is"]
        assert again.waiting() == []


def test_what_nobody_takes_for_two_days_is_given_up(
    home: Home, database: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with channel() as (arrived, port):
        arrived.status = 500
        write_addresses(home, address(port))
        notifier = Notifier(database, AT_ONCE, home.path)
        notifier.follow([server(DOWN)], [], NOON)
        for hours in range(0, 48, 6):
            notifier.send(NOON + timedelta(hours=hours))
        assert len(notifier.waiting()) == 1
        notifier.send(NOON + timedelta(hours=49))
        assert notifier.waiting() == []
        assert "1 notifications were not taken" in caplog.text
        arrived.status = 200
        notifier.follow([server(IDLE)], [], NOON + timedelta(hours=50))
        notifier.send(NOON + timedelta(hours=50))
        assert arrived.messages == ["ada is back: idle, so it is"]


def test_the_night_is_one_message_in_the_morning(home: Home, database: sa.Engine) -> None:
    with channel() as (arrived, port):
        write_addresses(home, address(port))
        settings = NotifySettings(hold_seconds=0, quiet_hours="22:00-07:00")
        notifier = Notifier(database, settings, home.path)
        for hours, state in ((11, DOWN), (13, IDLE), (15, OVERLOADED), (18.9, OVERLOADED)):
            at = NOON + timedelta(hours=hours)
            notifier.follow([server(state)], [], at)
            notifier.send(at)
        assert arrived.messages == []
        notifier.send(NOON + timedelta(hours=19))
        [night] = arrived.messages
    assert night.splitlines() == [
        "04 Mar 23:00 ada is down: so it is",
        "01:00 ada is back: idle, so it is",
        "03:00 ada is overloaded: so it is",
    ]


def test_the_backend_notes_what_is_to_be_told(home: Home) -> None:
    home.path.mkdir()
    home.settings_file.write_text("[notify]\n")
    sheetrack = Sheetrack(home)
    sheetrack.jobs.add_job(examples.job("r1", state=JobState.DONE, ended_at=now()))
    for _ in range(2):
        sheetrack.refresh()
    assert sheetrack.notifier
    [notification] = sheetrack.notifier.waiting()
    metrics = (
        create_app(sheetrack, "token")
        .test_client()
        .get("/metrics", headers={"Authorization": "Bearer token"}, base_url="http://localhost")
    )
    sheetrack.close()
    assert notification.text.startswith("kim: your training r1 ")
    assert "sheetrack_outbox_notifications 1.0" in metrics.text


def test_addresses_are_told_to_nobody(
    home: Home, database: sa.Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    file = home.path / "notify-urls"
    write_addresses(home, address(free_port()), "nonsense://kim:s3cret@nowhere")
    home.settings_file.write_text("[notify]\n")
    said = []
    for lines, mode in (
        ([address(free_port()), "nonsense://kim:s3cret@nowhere"], 0o600),
        (["# nobody"], 0o600),
        ([address(free_port())], 0o644),
        ([address(free_port())], 0o600),
    ):
        file.write_text("\n".join(lines))
        file.chmod(mode)
        notifier = Notifier(database, AT_ONCE, home.path)
        notifier.follow([server(DOWN)], [], NOON)
        notifier.follow([server(IDLE)], [], after(1))
        notifier.send(after(2))
        said.append(notifier.error.split(". ")[0])
    [finding] = [finding for finding in examine(home) if finding.what == "Notifications"]
    assert (finding.ok, finding.found) == (True, "sent to json")
    assert said == [
        "Address 2 of those to send to is none that Apprise knows",
        f"{file} has no address to send to",
        f"Others may read the file of addresses {file}",
        "json takes no messages",
    ]
    file.unlink()
    with pytest.raises(InvalidError, match="cannot be read"):
        read_addresses(AT_ONCE, home.path)
    monkeypatch.setenv(ADDRESSES_VARIABLE, "json://localhost/s3cret")
    assert read_addresses(AT_ONCE, home.path) == ["json://localhost/s3cret"]
    assert "people are not told: json takes no messages" in caplog.text
    with database.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver
        stored = "".join(driver.iterdump())
    assert "s3cret" not in caplog.text + "".join(said) + str(finding) + stored
