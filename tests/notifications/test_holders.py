"""People who hold idle GPUs are told, from the readings to a real server that takes the messages."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import unquote

import pytest
import sqlalchemy as sa

from backend.database import open_database
from backend.notifications.holders import held_texts
from backend.notifications.notifier import Notifier
from backend.probe.snapshot import GpuProcess, GpuReading, Snapshot
from backend.servers.history import History
from backend.servers.readings import Readings
from backend.servers.reservations import Reservations
from backend.servers.state import ServerStatus, State, Verdict
from backend.settings import Home, NotifySettings, ReservationSettings
from backend.sheets.workbook import Workbook
from tests.notifications.channel import channel, write_addresses
from tests.notifications.moments import NOON, after

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")

TAB = (
    "Server,User,Email,From,Until\n"
    "ada,Kim Lee,kim.lee@lab.example,2026-03-01,2026-03-02\n"
    "ada,Max,,2026-03-04,2026-03-05\n"
    "ada,park@lab.example,,no date,\n"
)


@pytest.fixture
def database(home: Home) -> Iterator[sa.Engine]:
    engine = open_database(home.store_file)
    yield engine
    engine.dispose()


def holding(seconds: float, *logins: str, use: float = 0) -> Snapshot:
    gpus = tuple(
        GpuReading(
            index=index,
            uuid=f"GPU-{index}",
            utilization_percent=use,
            memory_used_mib=12 << 10,
            memory_total_mib=80 << 10,
            processes=(GpuProcess(pid=9, user=login),),
        )
        for index, login in enumerate(logins)
    )
    return Snapshot(server="ada", at=after(seconds), gpus=gpus)


def status(snapshot: Snapshot, state: State = State.BUSY) -> list[ServerStatus]:
    return [ServerStatus(name="ada", verdict=Verdict(state=state, reason="so it is"), snapshot=snapshot)]


def test_they_are_told_once_a_day_where_the_tab_gives_an_address(home: Home, database: sa.Engine) -> None:
    home.peoples_tabs.mkdir()
    (home.peoples_tabs / "Lab.csv").write_text(TAB)
    workbook = Workbook(database, home.peoples_tabs, "Servers")
    reservations = Reservations(lambda: workbook, ReservationSettings(tab="Lab.csv"), ["ada"])
    reservations.look()
    readings, logins = Readings(database), ("kim", "max", "park", "park", "root")
    readings.remember([holding(t, *logins) for t in range(0, 3 * 3600, 60)])
    history = History(database, readings, ["ada"], 60)
    history.summarize(after(3 * 3600))
    notifier = Notifier(database, NotifySettings(held_idle_hours=2), home.path)

    def tell(at: datetime, *, state: State = State.BUSY, use: float = 0) -> None:
        seconds = (at - NOON).total_seconds()
        held = history.gpus.held(after(3 * 3600))
        texts = held_texts(status(holding(seconds, *logins, use=use), state), held, 2, at)
        notifier.tell_people(texts, reservations.address_of, at)

    with channel() as (arrived, port):
        write_addresses(home, f"json://127.0.0.1:{port}/all", f"json://127.0.0.1:{port}/{{address}}")
        tell(after(2 * 3600))  # not longer than two hours
        tell(after(3 * 3600), use=80)
        tell(after(3 * 3600), state=State.MAINTENANCE)
        assert arrived.messages == []
        arrived.status = 500
        tell(after(3 * 3600))
        arrived.status = 200
        for hours in (3, 3.2, 26.8, 27.1):
            tell(NOON + timedelta(hours=hours))
    one, *others = arrived.messages
    assert one == (
        "Your programs hold this GPU, and nothing runs on it: GPU 0 of ada (12 GiB, idle for 3 h). "
        "If you no longer need what is there, end the program or the notebook's kernel."
    )
    assert others[0].startswith(
        "Your programs hold these GPUs, and nothing runs on them: GPU 2 of ada (12 GiB, "
    )
    assert [unquote(path).removeprefix("/") for path in arrived.paths] == [
        "kim.lee@lab.example", "park@lab.example", "kim.lee@lab.example", "park@lab.example",
    ]  # fmt: skip


def test_what_the_tab_says_cannot_change_where_messages_go(home: Home, database: sa.Engine) -> None:
    notifier = Notifier(database, NotifySettings(held_idle_hours=2, quiet_hours="22:00-07:00"), home.path)
    with channel() as (arrived, port):
        write_addresses(home, f"json://127.0.0.1:{port}/{{address}}?format=text")
        notifier.tell_people(
            {"kim": "text"}, lambda _: "kim@lab.example?to=all&x", NOON + timedelta(hours=11)
        )
        assert arrived.paths == []  # quiet
        notifier.tell_people({"kim": "text"}, lambda _: "kim@lab.example?to=all&x", NOON)
    [path] = arrived.paths
    assert "?" not in path  # no option
    assert unquote(path) == "/kim@lab.example?to=all&x"
