"""A day with people in the spreadsheet, and what goes wrong on the way to Google."""

import pickle
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from backend.errors import UnavailableError
from backend.servers.state import ServerStatus
from backend.sheets import MismatchError
from backend.sheets.google.api import WRITES_PER_MINUTE
from backend.sheets.google.sheet import GoogleSheet
from backend.tabs.servers import servers_table
from tests import examples
from tests.google import peoples_tab
from tests.google.clock import Clock
from tests.google.evaluate import evaluate
from tests.google.peoples_tab import Person
from tests.google.server import Fault, SheetsServer
from tests.google.state import Spreadsheet
from tests.sheets.made_tables import SHOWN, named, texts


def all_do_something(people: Sequence[Person]) -> None:
    for person in people:
        person.do_something()


def seen(names: Sequence[str], number: int) -> list[ServerStatus]:
    """Servers at rest: nothing but the time of their reading differs."""
    at = examples.NOON + timedelta(seconds=30 * number)
    return [server.model_copy(update={"seen_at": at}) for server in named(*names)]


def titles(server: SheetsServer) -> list[str]:
    return [tab.title for tab in server.state.tabs]


class TestADay:
    """200 servers, 30 refreshes, and a colleague who does something between any two calls."""

    @pytest.fixture
    def names(self) -> list[str]:
        return [f"gpu{number:03}" for number in range(200)]

    def test_one_write_a_refresh_and_not_a_cell_of_theirs(
        self, server: SheetsServer, sheet: GoogleSheet, clock: Clock, names: list[str], tmp_path: Path
    ) -> None:
        alone = Spreadsheet()
        for state in (server.state, alone):
            peoples_tab.reserve(state, [*names[:20], "gpu007", "unknown", "*", "gpu00?"])
        sheet.publish([servers_table(named(*names))])
        calm = [Person(lambda: server.state, renames=False), Person(lambda: alone, renames=False)]
        server.before_call = partial(all_do_something, calm)
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        assert calm[0].work() == calm[1].work()
        busy = [Person(lambda: server.state, seed=2), Person(lambda: alone, seed=2)]
        server.before_call = partial(all_do_something, busy)
        before = len(server.writes)
        for number in range(1, 31):
            clock.now += 30
            sheet.publish([servers_table(seen(names, number))])
            assert busy[0].work() == busy[1].work()
        assert len(server.writes) == before + 30
        assert [len(tab.rules) for tab in server.state.tabs if tab.title == "Servers"] == [1]
        assert max(call.bytes for call in server.writes[-25:]) < 40_000, "200 times, and not the whole tab"
        server.before_call = lambda: None
        title, evening = busy[0].tab.title, pickle.dumps(server.state)
        sheet.disconnect()
        assert busy[0].work() == busy[1].work()
        assert [len(tab.columns) for tab in server.state.tabs] == [len(tab.columns) for tab in alone.tabs]
        assert titles(server) == [tab.title for tab in alone.tabs]
        assert server.state.marks == {}
        [tabs] = evaluate(pickle.loads(evening), tmp_path, examples.NOON)
        self.check_lookups(tabs[title], names)

    def check_lookups(self, rows: list[list[object]], names: list[str]) -> None:
        header = next(row for row in rows if "Verdict" in row)
        verdict_at, users_at = header.index("Verdict"), header.index("Users")
        shown = 0
        for row in rows[rows.index(header) + 1 :]:
            server = next((cell for cell in row if cell in names), None)
            assert row[verdict_at] == (f"busy {server}" if server else None)
            assert row[users_at] == ("kim" if server else None)
            shown += server is not None
        assert shown >= 21


class TestFailures:
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_passing_failure_is_tried_again(
        self, server: SheetsServer, sheet: GoogleSheet, clock: Clock, status: int
    ) -> None:
        server.faults_ahead.append(Fault(status=status))
        sheet.publish([texts("one")])
        assert sheet.read("Jobs")[1][0] == "one"
        assert len(clock.slept) == 1

    def test_google_says_how_long_to_wait(
        self, server: SheetsServer, sheet: GoogleSheet, clock: Clock
    ) -> None:
        server.faults_ahead.append(Fault(status=429, retry_after=7))
        sheet.publish([texts("one")])
        assert 7 <= clock.slept[0] <= 8

    def test_a_long_wait_is_kept_without_holding_anybody_up(
        self, server: SheetsServer, sheet: GoogleSheet, clock: Clock
    ) -> None:
        server.faults_ahead.append(Fault(status=429, retry_after=60))
        with pytest.raises(UnavailableError):
            sheet.publish([texts("one")])
        calls = len(server.calls)
        clock.now += 59
        with pytest.raises(UnavailableError, match="wait 1 s"):
            sheet.publish([texts("one")])
        assert len(server.calls) == calls
        clock.now += 2
        sheet.publish([texts("one")])
        assert clock.slept == []

    @pytest.mark.parametrize(
        "error",
        [Fault(status=503), Fault(), Fault(status=502, message="<html>")],
        ids=["503", "cut", "502"],
    )
    def test_attempts_are_bounded(
        self, server: SheetsServer, sheet: GoogleSheet, error: Fault, clock: Clock
    ) -> None:
        server.away = error
        with pytest.raises(UnavailableError, match="Google does not answer now"):
            sheet.publish([texts("one")])
        assert len(clock.slept) == 2
        with pytest.raises(UnavailableError, match="Google does not answer now"):
            sheet.read("Jobs")

    @pytest.mark.parametrize("status", [None, 503], ids=["cut", "503"])
    def test_a_lost_answer_does_not_do_it_twice(
        self, server: SheetsServer, sheet: GoogleSheet, status: int | None
    ) -> None:
        server.before_call = lambda: (
            server.faults_ahead.append(Fault(status=status, done=True)) if len(server.calls) == 1 else None
        )
        sheet.publish([texts("one")])
        assert titles(server) == ["Sheet1", "Jobs"]
        assert sheet.read("Jobs")[1][0] == "one"

    def test_never_more_writes_than_google_allows(
        self, server: SheetsServer, sheet: GoogleSheet, clock: Clock
    ) -> None:
        refused: list[str] = []
        for number in range(130):
            clock.now += 1
            try:
                sheet.publish([texts(f"number {number}")])
            except UnavailableError as error:
                refused.append(error.message)
        assert len(server.writes) == 130 - len(refused) == 2 * WRITES_PER_MINUTE + 10
        assert set(refused) == {"Google was written 50 times within a minute."}

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (
                Fault(status=403, message="The caller does not have permission"),
                "Share the sheet with anyone as Editor",
            ),
            (
                Fault(status=403, message="Google Sheets API has not been used in project 1 before"),
                "Enable it",
            ),
            (Fault(status=404, message="Requested entity was not found."), "connect google"),
        ],
    )
    def test_refusals_say_what_to_do(
        self, server: SheetsServer, sheet: GoogleSheet, error: Fault, said: str, clock: Clock
    ) -> None:
        server.away = error
        for attempt in (lambda: sheet.publish([texts("one")]), lambda: sheet.read("Jobs"), sheet.try_out):
            with pytest.raises(UnavailableError) as caught:
                attempt()
            assert said in str(caught.value)
        assert clock.slept == []

    def test_what_google_does_not_take_is_no_passing_failure(
        self, server: SheetsServer, sheet: GoogleSheet
    ) -> None:
        server.before_call = lambda: (
            server.faults_ahead.append(Fault(status=400, message="No.")) if len(server.calls) % 2 else None
        )
        with pytest.raises(MismatchError, match=r"does not accept what was sent: No\."):
            sheet.publish([texts("one")])
        assert len(server.calls) == 4
