"""Google alone: what people do meanwhile, what goes wrong on the way, and what one refresh costs."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from backend.errors import InvalidError, NotFoundError, UnavailableError
from backend.servers.state import ServerStatus
from backend.settings import GoogleSettings
from backend.sheets import MismatchError
from backend.sheets.google import service_account
from backend.sheets.google.api import WRITES_PER_MINUTE, GoogleApi
from backend.sheets.google.sheet import GoogleSheet
from backend.sheets.table import Column, Section, Spark, Table
from backend.tabs.names import SERVERS
from backend.tabs.run import run_table
from backend.tabs.servers import servers_table
from tests import examples
from tests.google import peoples_tab
from tests.google.accounts import GoogleAccounts
from tests.google.clock import Clock
from tests.google.evaluate import evaluate
from tests.google.peoples_tab import Person
from tests.google.server import Fault, SheetsServer
from tests.google.state import Spreadsheet, Tab
from tests.sheets.made_tables import SHOWN, tables, texts


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[SheetsServer]:
    with SheetsServer(clock=clock) as server:
        yield server
        assert not server.faults


@pytest.fixture
def sheet(server: SheetsServer, clock: Clock, tmp_path: Path) -> Iterator[GoogleSheet]:
    settings = GoogleSettings(spreadsheet="lab", api_endpoint=server.address)
    sheet = GoogleSheet(GoogleApi(settings, tmp_path, clock=clock, sleep=clock.sleep), SERVERS)
    yield sheet
    sheet.close()


def named(*names: str) -> list[ServerStatus]:
    """Servers whose verdict says their name."""
    busy = examples.busy_server()
    return [
        busy.model_copy(update={"name": name, "verdict": busy.verdict.model_copy(update={"reason": name})})
        for name in names
    ]


def all_do_something(people: Sequence[Person]) -> None:
    for person in people:
        person.do_something()


def titles(server: SheetsServer) -> list[str]:
    return [tab.title for tab in server.state.tabs]


def kept(state: Spreadsheet, title: str) -> list[list[object]]:
    """Everything in a tab, as it is."""
    tab = state.tab(title)
    return [[row.cells.get(line) for line in tab.columns] for row in tab.rows]


class TestADay:
    """200 servers, 100 refreshes, and a colleague who does something between any two calls."""

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
        for _ in range(100):
            clock.now += 15
            sheet.publish([servers_table(named(*names))])
            assert busy[0].work() == busy[1].work()
        assert len(server.writes) == before + 100
        assert [len(tab.rules) for tab in server.state.tabs if tab.title == "Servers"] == [1]
        server.before_call = lambda: None
        title, evening = busy[0].tab.title, pickle.dumps(server.state)
        sheet.disconnect()
        assert busy[0].work() == busy[1].work()
        assert [len(tab.columns) for tab in server.state.tabs] == [len(tab.columns) for tab in alone.tabs]
        assert titles(server) == [tab.title for tab in alone.tabs]
        assert server.state.marks == {}
        self.check_lookups(evaluate(pickle.loads(evening), tmp_path)[title], names)

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


class TestTabs:
    def test_a_tab_of_theirs_with_our_name_is_never_written(
        self, server: SheetsServer, sheet: GoogleSheet
    ) -> None:
        theirs = Tab(5, "jobs", 3, 3)
        theirs.put(0, 0, {"userEnteredValue": {"stringValue": "our job offers"}})
        server.state.tabs.append(theirs)
        before = kept(server.state, "jobs")
        for _ in range(3):
            sheet.publish([texts("one")])
        assert kept(server.state, "jobs") == before
        assert sheet.read("Jobs (Sheetrack)")[1][0] == "one"
        assert titles(server) == ["Sheet1", "jobs", "Jobs (Sheetrack)"]
        (remark,) = sheet.remarks()
        assert "A tab of yours is called 'Jobs'" in remark

    def test_a_tab_that_somebody_renamed_is_theirs(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        sheet.publish([texts("one")])
        server.state.tab("Jobs").title = "March"
        before = kept(server.state, "March")
        sheet.publish([texts("two")])
        sheet.publish([], gone=["March"])
        assert kept(server.state, "March") == before
        assert sheet.read("Jobs")[1][0] == "two"
        sheet.disconnect()
        assert kept(server.state, "March") == before
        assert not server.state.tab("March").protections
        assert titles(server) == ["Sheet1", "March"]

    def test_a_tab_that_somebody_deleted_comes_back(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        sheet.publish([texts("one")])
        server.state.tabs.remove(server.state.tab("Jobs"))
        server.state.forget_lost()
        sheet.publish([texts("two")])
        assert sheet.read("Jobs")[1][0] == "two"

    def test_a_tab_that_vanishes_under_our_hands_comes_back(
        self, server: SheetsServer, sheet: GoogleSheet
    ) -> None:
        sheet.publish([texts("one")])

        def delete_once() -> None:
            if server.calls[-1].method.endswith("spreadsheets.get") and "Jobs" in titles(server):
                server.state.tabs.remove(server.state.tab("Jobs"))
                server.state.forget_lost()
                server.before_call = lambda: None

        server.before_call = delete_once
        sheet.publish([texts("two")])
        assert sheet.read("Jobs")[1][0] == "two"

    def test_rules_and_tabs_do_not_pile_up(
        self, server: SheetsServer, sheet: GoogleSheet, clock: Clock
    ) -> None:
        for number in range(40):
            clock.now += 10
            history = examples.HISTORY * (1 + number % 5)
            sheet.publish(
                [
                    servers_table(named(*["gpu1"] * (1 + number % 3))),
                    run_table(examples.result(), history, []),
                ]
            )
        rules = {tab.title: len(tab.rules) for tab in server.state.tabs}
        assert rules == {"Sheet1": 0, "Servers": 1, "Run r1": 1}
        assert [len(tab.protections) for tab in server.state.tabs] == [0, 1, 1]
        assert len(server.state.marks) == 2

    def test_what_people_adjust_in_our_tabs_stays(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        sheet.publish(tables())
        server.state.tab("Servers").columns[1].properties["pixelSize"] = 555
        sheet.publish(tables())
        assert server.state.tab("Servers").columns[1].properties["pixelSize"] == 555

    def test_a_cell_that_takes_several_columns_is_merged_once(
        self, server: SheetsServer, sheet: GoogleSheet
    ) -> None:
        columns = (Column(title="Wide", span=3, width=4), Column(title="Number", format="integer", span=2))
        curve = Spark(values=(1, 2), label="from 1 to 2")
        wide = Section(columns=columns, rows=((curve, 7), ("text flows over", None)))
        for name in ("Run r1", "Run r1"):
            sheet.publish([Table(name=name, rank=0, sections=(wide,))])
        tab = server.state.tab("Run r1")
        places = [(m["startRowIndex"], m["startColumnIndex"], m["endColumnIndex"]) for m in tab.merges]
        assert places == [(1, 0, 3), (1, 3, 5)]
        assert tab.cell(1, 3)["userEnteredValue"] == {"numberValue": 7}
        assert tab.cell(2, 0)["userEnteredValue"] == {"stringValue": "text flows over"}

    @pytest.mark.parametrize(
        ("heat", "points"),
        [
            ("count", {"minpoint": ("NUMBER", "=0/10000"), "maxpoint": ("MAX", None)}),
            ("good", {"minpoint": ("MIN", None), "maxpoint": ("MAX", None)}),
            (
                "difference",
                {
                    "minpoint": ("NUMBER", "=-25000/10000"),
                    "midpoint": ("NUMBER", "=0/10000"),
                    "maxpoint": ("NUMBER", "=25000/10000"),
                },
            ),
        ],
    )
    def test_heat_is_a_rule_over_the_cells(
        self, server: SheetsServer, sheet: GoogleSheet, heat: str, points: dict[str, tuple[str, str | None]]
    ) -> None:
        columns = (Column(title="Word"), *(Column(title=word, heat=True) for word in ("one", "two")))
        section = Section.model_validate({"columns": columns, "rows": [("one", 1, -2.5)], "heat": heat})
        sheet.publish([Table(name="Run r1", rank=0, sections=(section,))])
        (rule,) = server.state.tab("Run r1").rules
        (place,) = rule["ranges"]
        assert (place["startRowIndex"], place["endRowIndex"]) == (1, 2)
        assert (place["startColumnIndex"], place["endColumnIndex"]) == (1, 3)
        gradient = rule["gradientRule"]
        assert {name: (point["type"], point.get("value")) for name, point in gradient.items()} == points

    def test_curves_are_drawn_from_cells_of_the_same_tab(
        self, server: SheetsServer, sheet: GoogleSheet
    ) -> None:
        sheet.publish([servers_table([examples.busy_server()])])
        tab = server.state.tab("Servers")
        assert server.state.formula(tab.cell(1, 2)) == "=SPARKLINE($N2:$O2;$J$1:$K$5)"
        assert [line.properties.get("hiddenByUser") for line in tab.columns] == [False] * 9 + [True] * (
            len(tab.columns) - 9
        )
        assert tab.cell(1, 13)["userEnteredValue"] == {"numberValue": 0.97}
        assert "userEnteredValue" not in tab.cell(1, 14)
        options = [[tab.cell(row, at)["userEnteredValue"] for at in (9, 10)] for row in range(5)]
        assert options[0] == [{"stringValue": "charttype"}, {"stringValue": "column"}]
        assert options[4] == [{"stringValue": "ymax"}, {"numberValue": 1}]


class TestColumns:
    @pytest.fixture(autouse=True)
    def _reserved(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        peoples_tab.reserve(server.state, ["gpu1", "gpu2"])
        sheet.publish([servers_table(named("gpu1", "gpu2"))])

    def ours(self, server: SheetsServer) -> dict[str, int]:
        """Where our columns are."""
        marks = [server.state.mark_of(number) for number in server.state.marks]
        columns = [mark for mark in marks if '"column"' in mark["metadataValue"]]
        return {
            m["metadataValue"].split('"title": "')[1].split('"')[0]: m["location"]["dimensionRange"][
                "startIndex"
            ]
            for m in columns
        }

    def test_written_once(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        done = len(server.writes)
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        assert len(server.writes) == done
        assert self.ours(server) == {title: 6 + at for at, title in enumerate(SHOWN)}
        assert sheet.errors() == []

    def test_the_key_column_may_be_guessed(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        sheet.annotate(peoples_tab.TITLE, "", ("Verdict",))
        formula = server.state.formula(server.state.tab(77).cell(peoples_tab.HEADER, 6))
        assert formula.startswith("=ARRAYFORMULA(IF(ROW(B4:B)=ROW(B4);")

    def test_other_columns_replace_those_that_are_not_wanted(
        self, server: SheetsServer, sheet: GoogleSheet
    ) -> None:
        person = Person(lambda: server.state)
        before = person.work()
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        sheet.annotate(peoples_tab.TITLE, "Server", ("Seen", "CPU"))
        assert self.ours(server) == {"Seen": 6, "CPU": 7}
        assert person.work() == before

    def test_renaming_the_server_column_changes_nothing(
        self, server: SheetsServer, sheet: GoogleSheet
    ) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        server.state.tab(77).put(peoples_tab.HEADER, 1, {"userEnteredValue": {"stringValue": "Maschine"}})
        done = len(server.writes)
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        assert len(server.writes) == done

    def test_a_new_servers_tab_is_looked_into(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict",))
        server.state.tab("Servers").title = "March"
        sheet.publish([servers_table(named("gpu1"))])
        cell = server.state.tab(77).cell(peoples_tab.HEADER, 6)
        assert "March!" in server.state.formula(cell)
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict",))
        assert "Servers!" in server.state.formula(server.state.tab(77).cell(peoples_tab.HEADER, 6))

    def test_what_blocks_a_column_is_said(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict", "Users"))
        tab = server.state.tab(77)
        tab.put(20, 6, {"userEnteredValue": {"stringValue": "mine"}})
        tab.put(peoples_tab.HEADER, 7, {"userEnteredValue": {"stringValue": "People"}})
        blocked, typed_over = sheet.errors()
        assert "G21" in blocked
        assert "header of 'Users' (column H)" in typed_over
        done = len(server.writes)
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict", "Users"))
        assert len(server.writes) == done

    def test_their_deleted_header_row_is_found_again(self, server: SheetsServer, sheet: GoogleSheet) -> None:
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        tab = server.state.tab(77)
        headers = tab.rows.pop(peoples_tab.HEADER)
        server.state.forget_lost()
        assert "was deleted" in sheet.errors()[0]
        tab.rows[0].cells = {line: cell for line, cell in headers.cells.items() if "formula" not in cell}
        sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
        assert len(self.ours(server)) == len(SHOWN)
        assert "formula" in tab.cell(0, 6)

    @pytest.mark.parametrize("deed", ["delete ours", "insert before", "move ours away", "delete theirs"])
    def test_disconnecting_never_removes_a_column_of_theirs(
        self, server: SheetsServer, sheet: GoogleSheet, deed: str
    ) -> None:
        """Somebody rearranges columns just between what is read and what is written."""
        sheet.annotate(peoples_tab.TITLE, "Server", ("Verdict", "Users"))
        tab = server.state.tab(77)
        for place in range(8, 10):
            tab.columns.insert(place, type(tab.columns[0])())
            tab.put(peoples_tab.HEADER, place, {"userEnteredValue": {"stringValue": f"theirs {place}"}})
        person = Person(lambda: server.state)
        deeds: dict[str, Callable[[], object]] = {
            "delete ours": lambda: tab.columns.pop(6),
            "insert before": lambda: tab.columns.insert(2, type(tab.columns[0])()),
            "move ours away": lambda: tab.columns.append(tab.columns.pop(6)),
            "delete theirs": lambda: tab.columns.pop(3),
        }
        before: list[object] = []

        def rearrange() -> None:
            if server.calls[-1].method.endswith("spreadsheets.get") and len(server.calls) > known + 3:
                deeds[deed]()
                server.state.forget_lost()
                before.append(person.work())
                server.before_call = lambda: None

        known = len(server.calls)
        server.before_call = rearrange
        sheet.disconnect()
        assert before == [person.work()]
        assert self.ours(server) == {}

    def test_our_own_tab_is_no_tab_of_theirs(self, sheet: GoogleSheet) -> None:
        with pytest.raises(NotFoundError, match="own tab"):
            sheet.annotate("Servers", "Server", SHOWN)


class TestTrouble:
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

    def test_silence_is_bounded(
        self, server: SheetsServer, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service_account, "_TIMEOUT_SECONDS", 0.3)
        settings = GoogleSettings(spreadsheet="lab", api_endpoint=server.address)
        hasty = GoogleSheet(GoogleApi(settings, tmp_path, clock=clock), SERVERS)
        server.faults_ahead.append(Fault(status=503, seconds=1))
        with pytest.raises(UnavailableError, match="did not answer within"):
            hasty.publish([texts("one")])
        hasty.publish([texts("one")])
        hasty.close()

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
        for _ in range(130):
            clock.now += 1
            try:
                sheet.publish([texts("one")])
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


class TestKey:
    def settings(self) -> GoogleSettings:
        return GoogleSettings(spreadsheet="https://docs.google.com/spreadsheets/d/1Ab-c_9/edit#gid=0")

    def test_the_address_in_the_browser_will_do(self) -> None:
        assert self.settings().spreadsheet == "1Ab-c_9"

    def test_a_missing_key_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidError, match="There is no service account key in"):
            GoogleApi(self.settings(), tmp_path)

    def test_others_must_not_read_it(self, tmp_path: Path) -> None:
        (tmp_path / "google-key.json").write_text("{}")
        (tmp_path / "google-key.json").chmod(0o640)
        with pytest.raises(InvalidError, match="Others can read") as caught:
            GoogleApi(self.settings(), tmp_path)
        assert "chmod 600" in caught.value.hint

    @pytest.mark.parametrize(
        "content", ["{}", "no json", '{"private_key": "s3cret", "client_email": "a@b", "token_uri": "x"}']
    )
    def test_a_broken_key_is_said_but_not_shown(self, tmp_path: Path, content: str) -> None:
        file = tmp_path / "google-key.json"
        file.touch(mode=0o600)
        file.write_text(content)
        with pytest.raises(InvalidError, match="not the key of a service account") as caught:
            GoogleApi(self.settings(), tmp_path)
        assert "s3cret" not in str(caught.value)

    def test_a_key_that_google_refuses_is_said_but_not_shown(self, tmp_path: Path) -> None:
        file = tmp_path / "google-key.json"
        file.touch(mode=0o600)
        with GoogleAccounts() as accounts:
            file.write_text(accounts.service_account())
            sheet = GoogleSheet(GoogleApi(self.settings(), tmp_path), SERVERS)
            for attempt in (sheet.try_out, lambda: sheet.read("Jobs")):
                with pytest.raises(UnavailableError) as caught:
                    attempt()
                assert "does not accept the key of lab@made.example: invalid_grant" in str(caught.value)
                assert "Check this machine's clock" in str(caught.value)
                assert "PRIVATE KEY" not in str(caught.value)
            sheet.close()
