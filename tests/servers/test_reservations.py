import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from backend.database import open_database
from backend.probe.snapshot import GpuReading, Snapshot
from backend.servers.reservation import Reservation
from backend.servers.reservations import (
    OthersHold,
    Reservations,
    not_set_up,
    others_hold,
    reserved_now,
    with_reservations,
)
from backend.servers.server import ServerList
from backend.servers.state import ServerStatus, State, Verdict
from backend.settings import ReservationSettings
from backend.sheets.workbook import Workbook
from backend.tabs.names import SERVERS
from backend.tabs.servers import servers_table
from tests import examples

BERLIN = ZoneInfo("Europe/Berlin")


def test_all_rows_that_cover_now_count() -> None:
    past = Reservation("gpu1", "Lee", end=examples.NOON - timedelta(days=1))
    current, other = Reservation("GPU1", "Kim"), Reservation("gpu1", "Max")
    assert reserved_now([past, current, other], examples.NOON) == {"gpu1": [current, other]}


def test_overlapping_reservations_are_all_shown() -> None:
    both = [Reservation("gpu1", "Kim", gpus=(0, 1)), Reservation("gpu1", "Max", end=UNTIL, gpus=(2,))]
    [server] = with_reservations([examples.busy_server()], {"gpu1": [*both, both[0]]}, examples.NOON)
    assert server.reserved == "Kim (GPU 0, 1), Max until 18:30 (GPU 2)"
    assert server.verdict.reason == examples.busy_server().verdict.reason  # kim uses it


UNTIL = datetime(2026, 3, 4, 18, 30, tzinfo=BERLIN)


def test_a_server_of_which_some_gpus_are_reserved_is_suggested_for_the_others() -> None:
    def suggested(*gpus: tuple[int, ...] | None) -> list[tuple[str, bool]]:
        reserved = {"gpu2": [Reservation("gpu2", "Max", gpus=some) for some in gpus]}
        free = tuple(
            GpuReading(index=index, memory_used_mib=0, memory_total_mib=81_920, processes=())
            for index in (0, 1)
        )
        idle = ServerStatus(
            name="gpu2",
            verdict=Verdict(state=State.IDLE, reason="both GPUs free"),
            snapshot=Snapshot(server="gpu2", at=examples.NOON, gpus=free),
        )
        servers = with_reservations([examples.busy_server(), idle], reserved, examples.NOON)
        return [(server.name, server.suggested) for server in servers]

    assert suggested() == [("gpu2", True), ("gpu1", False)]
    assert suggested((0,)) == [("gpu2", True), ("gpu1", False)]
    assert ("gpu2", True) not in suggested((0,), (1,))
    assert ("gpu2", True) not in suggested((0,), None)


def test_who_has_reserved_a_server_and_until_when() -> None:
    busy = examples.busy_server()

    def said(end: datetime | None, at: datetime) -> str | None:
        return with_reservations([busy], {"gpu1": [Reservation("gpu1", "Max", end=end)]}, at)[0].reserved

    day = datetime(2026, 3, 5, tzinfo=BERLIN)
    before = examples.NOON - timedelta(days=1)
    assert said(UNTIL, before) == "Max until 2026-03-04 18:30"
    assert said(day, before) == "Max until 2026-03-04"
    # In Berlin it is the 4th already.
    night = datetime(2026, 3, 3, 23, 30, tzinfo=UTC)
    assert [said(end, night) for end in (UNTIL, day, None)] == ["Max until 18:30", "Max until 24:00", "Max"]
    assert with_reservations([busy], {}, before) == [busy]


@pytest.mark.parametrize(
    ("person", "state", "reason"),
    [
        ("Kim Lee", State.BUSY, None),
        ("Max", State.BUSY, "reserved by Max until 18:30, used by kim"),
        ("Max", State.OVERLOADED, "reserved by Max until 18:30, used by kim"),
        ("Kim Lee", State.IDLE, "reserved by Kim Lee until 18:30, but idle"),
    ],
)
def test_a_verdict_says_where_a_server_is_not_used_as_it_is_reserved(
    person: str, state: State, reason: str | None
) -> None:
    server = examples.busy_server()
    server = server.model_copy(update={"verdict": server.verdict.model_copy(update={"state": state})})
    (shown,) = with_reservations([server], {"gpu1": [Reservation("gpu1", person, end=UNTIL)]}, examples.NOON)
    before = server.verdict.reason
    assert shown.verdict == server.verdict.model_copy(
        update={"reason": f"{before}; {reason}" if reason else before}
    )


def test_a_reserved_server_is_not_suggested() -> None:
    idle = Verdict(state=State.IDLE, reason="CPU 2 %")
    full = Verdict(state=State.FULL, reason="CPU 99 %")
    servers = [
        ServerStatus(name="gpu1", verdict=idle, suggested=True),
        ServerStatus(name="gpu2", verdict=idle),
        ServerStatus(name="gpu3", verdict=full),
    ]

    def order(*names: str) -> list[tuple[str, bool]]:
        current = {name: [Reservation(name, "Max")] for name in names}
        return [(s.name, s.suggested) for s in with_reservations(servers, current, examples.NOON)]

    assert order() == [("gpu1", True), ("gpu2", False), ("gpu3", False)]
    assert order("gpu1") == [("gpu2", True), ("gpu1", False), ("gpu3", False)]
    assert order("gpu1", "gpu2") == [("gpu1", False), ("gpu2", False), ("gpu3", False)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "tabs" / "Reservations.csv"
    file.parent.mkdir()
    return file


@pytest.fixture
def followed(tmp_path: Path, file: Path) -> Iterator[Reservations]:
    database = open_database(tmp_path / "store.db")
    workbook = Workbook(database, file.parent, SERVERS)
    workbook.publish([servers_table([examples.busy_server()])])
    yield Reservations(lambda: workbook, ReservationSettings(tab=file.name), ["gpu1", "gpu2"])
    database.dispose()


def test_the_tab_is_followed_and_kept_where_it_fails(followed: Reservations, file: Path) -> None:
    file.write_text("Server,User\ngpu1,Max\n")
    followed.refresh()
    (server,) = followed.shown_on([examples.busy_server()])
    assert server.reserved == "Max"
    assert server.verdict.reason.endswith("; reserved by Max, used by kim")
    assert followed.error == ""
    file.write_text("Server,Until\ngpu1,\n")
    followed.refresh()
    assert "does not say who" in followed.error
    assert followed.shown_on([examples.busy_server()]) == [server]


def test_servers_that_only_the_tab_knows_are_not_set_up() -> None:
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    past, coming = at - timedelta(days=1), at + timedelta(days=1)
    known = [
        Reservation("GPU1", "kim"),
        Reservation("gpu9", "kim", end=coming),
        Reservation("GPU9", "lee", start=coming),
        Reservation("gpu8", "kim", end=past),
        Reservation("see the other sheet", "kim"),
        Reservation("", "kim"),
    ]
    [new] = not_set_up(known, ["gpu1", "gpu2"], at)
    assert new.name == "gpu9"
    [server] = ServerList.model_validate(tomllib.loads(new.lines)).servers
    assert (server.name, server.agent) == ("gpu9", "ssh://gpu9")
    assert len(not_set_up([Reservation(f"gpu{i}", "kim") for i in range(100)], [], at)) == 20


def test_rows_that_are_not_understood_are_told_and_the_others_hold(
    followed: Reservations, file: Path
) -> None:
    rows = ["Who has what", "", "Server;User;Until", "gpu0;Lee;3/4/2026", "gpu1;Max;", "gpu2;Kim;-700000"]
    for _ in range(2):  # the second time with Sheetrack's columns beside
        file.write_text("\n".join(rows))
        followed.refresh()
        assert followed.error == (
            "Reservations: 1 understood, row 4 not: '3/4/2026' has two meanings, as day and month may come in "
            "either order; row 6 not: no date in '-700000'. A row that is not understood reserves nothing. "
            "Write dates like 2026-11-22 or 2026-11-22 18:00."
        )
        (server,) = followed.shown_on([examples.busy_server()])
        assert server.reserved == "Max"
        assert followed.others_hold("gpu2", "lee") == OthersHold()
        assert followed.others_hold("gpu1", "lee") == OthersHold("gpu1 is reserved by Max")


def test_of_many_rows_with_one_fault_the_first_are_named(followed: Reservations, file: Path) -> None:
    file.write_text("Server;User;Until\n" + "gpu1;Kim;soon\n" * 500)
    followed.look()
    assert " 20, 21 and 480 more not: no date in 'soon'. " in followed.error


def test_a_list_without_people_reserves_nothing_and_is_no_error(followed: Reservations, file: Path) -> None:
    file.write_text("Server,CPU\ngpu1,64 cores\n")
    followed.refresh()
    assert followed.error == ""
    assert followed.shown_on([examples.busy_server()]) == [examples.busy_server()]


def test_a_grid_without_a_column_of_servers_gets_no_columns(followed: Reservations, file: Path) -> None:
    file.write_text("Date,gpu1,gpu2\n2026-12-03,Max,\n")
    followed.refresh()
    assert followed.error == ""


def test_reservations_of_gpus_leave_the_server_to_others(followed: Reservations, file: Path) -> None:
    file.write_text("Server,GPUs,User\ngpu1,0-1,Max\ngpu2,,Max\ngpu2,0,Kim\n")
    followed.look()
    assert followed.others_hold("gpu1", "kim") == OthersHold("", {0: "Max", 1: "Max"})
    assert followed.others_hold("gpu2", "kim") == OthersHold("gpu2 is reserved by Max")


def test_what_others_hold_is_told_server_by_server_and_gpu_by_gpu() -> None:
    known = [
        Reservation("gpu1", "Max"),
        Reservation("gpu2", "Kim", gpus=(0,)),
        Reservation("GPU2", "park", end=examples.NOON + timedelta(hours=6), gpus=(2, 3)),
        Reservation("gpu2", "Lee", gpus=(3,)),
        Reservation("gpu2", "Max", end=examples.NOON, gpus=(1,)),
    ]

    def held(server: str, asker: str) -> OthersHold:
        return others_hold(known, server, asker, examples.NOON)

    assert held("gpu1", "kim") == OthersHold("gpu1 is reserved by Max", {})
    assert held("gpu1", "max") == held("gpu3", "kim") == OthersHold()
    assert held("gpu2", "kim") == OthersHold("", {2: "park until 18:00", 3: "park until 18:00 and Lee"})
    assert held("gpu2", "park") == OthersHold("", {0: "Kim", 3: "Lee"})
