"""Notifications that really arrive: once everywhere, also after failures, restarts and quiet hours."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from backend.api.app import create_app
from backend.database import open_database
from backend.errors import InvalidError, SheetrackError
from backend.jobs.job import JobState
from backend.notifications.delivery import ADDRESSES_VARIABLE, read_addresses
from backend.notifications.notifier import Notifier
from backend.service import doctor
from backend.service.doctor import CHECKS, Finding, examine
from backend.service.wiring import Sheetrack
from backend.settings import Home, NotifySettings
from backend.times import now
from tests import examples
from tests.notifications.channel import channel, write_addresses
from tests.notifications.moments import DOWN, IDLE, NOON, OVERLOADED, after, server
from tests.servers.agents import free_port

# One of Apprise's hundred services imports a module that Python will drop.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")


@pytest.fixture
def database(home: Home) -> Iterator[sa.Engine]:
    engine = open_database(home.store_file)
    yield engine
    engine.dispose()


def address(port: int, secret: str = "s3cret") -> str:
    return f"json://kim:{secret}@127.0.0.1:{port}/hook"


def doctors(home: Home) -> Finding:
    """What the doctor finds about notifications; the other checks take seconds."""
    with patch.object(doctor, "CHECKS", {"Notifications": CHECKS["Notifications"]}):
        [_, finding] = examine(home)
    return finding


BROKEN_ADDRESS = (
    "of the notifications is none that Apprise understands: correct it, as Apprise's documentation shows."
)
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


def test_an_address_that_is_wrong_costs_no_other_and_is_named(home: Home, database: sa.Engine) -> None:
    with channel() as (arrived, port):
        write_addresses(home, "nonsense://kim:s3cret@nowhere", address(port), "no address at all")
        notifier = Notifier(database, AT_ONCE, home.path)
        notifier.follow([server(DOWN)], [], NOON)
        notifier.send(NOON)
    assert arrived.messages == ["ada is down: so it is"]
    assert notifier.error == f"Address 1 {BROKEN_ADDRESS} Address 3 {BROKEN_ADDRESS}"
    assert notifier.waiting() == []
    home.settings_file.write_text("[notify]\n")
    finding = doctors(home)
    assert not finding.ok
    assert finding.found == notifier.error
    assert "s3cret" not in str(finding)


def test_who_is_told_of_idle_gpus_needs_an_address_of_its_own(home: Home) -> None:
    home.make()
    write_addresses(home, address(1))
    home.settings_file.write_text("[notify]\nheld_idle_hours = 2\n")
    with pytest.raises(
        SheetrackError, match=r"No address of the notifications has \{address\}: people who hold"
    ):
        CHECKS["Notifications"](home)
    write_addresses(home, address(1), "mailto://bot:s3cret@lab.example?to={address}")
    assert CHECKS["Notifications"](home) == "sent to json; people who hold idle GPUs are told by mailto"


def test_nothing_is_lost_while_the_channel_is_away_or_the_backend_restarts(
    home: Home, database: sa.Engine
) -> None:
    port = free_port()
    with channel() as (near, other):
        write_addresses(home, address(port), address(other))
        notifier = Notifier(database, AT_ONCE, home.path)
        notifier.follow([server(DOWN)], [], NOON)
        notifier.send(NOON)
        assert notifier.error == "json takes no messages."
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


def test_what_is_not_delivered_within_two_days_is_given_up(
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
        assert "notifications given up after two days: 1" in caplog.text
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


def test_a_warning_arrives_though_nothing_can_be_stored(home: Home, database: sa.Engine) -> None:
    with channel() as (one, port), channel() as (two, other):
        write_addresses(home, address(port), address(other))
        notifier = Notifier(database, AT_ONCE, home.path)
        notifier.follow([server(DOWN)], [], NOON)
        two.status = 500
        sa.event.listen(database, "begin", refuse_to_write)
        notifier.warn("The disk is full.")
        for seconds in range(0, 60, 10):
            two.status = 500 if seconds < 20 else 200
            with suppress(OperationalError):
                notifier.send(after(seconds))
        assert one.messages == two.messages == ["12:00 The disk is full.\n12:00 ada is down: so it is"]
        sa.event.remove(database, "begin", refuse_to_write)
        notifier.warn("It has room again.")
        notifier.send(after(60))
        assert one.messages[1:] == two.messages[1:] == ["It has room again."]


def refuse_to_write(connection: sa.Connection) -> None:
    if not connection.get_execution_options().get("reading"):
        raise OperationalError("BEGIN", None, sqlite3.OperationalError("database or disk is full"))


def test_the_backend_stores_what_is_to_be_sent(home: Home) -> None:
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
    assert notification.text.startswith("kim: job r1 ")
    assert "sheetrack_outbox_notifications 1.0" in metrics.text


def test_addresses_stay_secret(
    home: Home, database: sa.Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    file = home.path / "notify-urls"
    write_addresses(home, address(free_port()), "nonsense://kim:s3cret@nowhere")
    home.settings_file.write_text("[notify]\n")
    said = []
    for lines, mode in (
        ([address(free_port()), "nonsense://kim:s3cret@nowhere"], 0o600),
        (["# no address"], 0o600),
        ([address(free_port())], 0o644),
        ([address(free_port())], 0o600),
    ):
        file.write_text("\n".join(lines))
        file.chmod(mode)
        notifier = Notifier(database, AT_ONCE, home.path)
        notifier.follow([server(DOWN)], [], NOON)
        notifier.follow([server(IDLE)], [], after(1))
        notifier.send(after(2))
        said.append(notifier.error)
    finding = doctors(home)
    assert (finding.ok, finding.found) == (True, "sent to json")
    assert said == [
        f"Address 2 {BROKEN_ADDRESS} json takes no messages.",
        f"{file} has no address. Put Apprise's addresses into it, one on a line.",
        f"Others may read the file of addresses {file}. Run `chmod 600 {file}`.",
        "json takes no messages.",
    ]
    file.unlink()
    with pytest.raises(InvalidError, match="cannot be read"):
        read_addresses(AT_ONCE, home.path)
    monkeypatch.setenv(ADDRESSES_VARIABLE, "json://localhost/s3cret")
    assert read_addresses(AT_ONCE, home.path) == (["json://localhost/s3cret"], [], [])
    assert "notifications are not delivered: json takes no messages." in caplog.text
    with database.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver
        stored = "".join(driver.iterdump())
    assert "s3cret" not in caplog.text + "".join(said) + str(finding) + stored
