"""What every Sheet does alike, workbook and Google."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from backend.database import open_database
from backend.errors import NotFoundError
from backend.service.relay_script import filled
from backend.settings import GoogleSettings
from backend.sheets import Sheet
from backend.sheets.google.api import GoogleApi
from backend.sheets.google.sheet import GoogleSheet
from backend.sheets.workbook import Workbook
from backend.tabs.names import SERVERS, Rank
from tests import examples
from tests.apps_script.relay import SECRET, deployed, relay_settings
from tests.google import peoples_tab
from tests.google.server import SheetsServer
from tests.sheets.made_tables import SHOWN, tables, texts

HOSTILE = (
    '=IMPORTXML("http://192.0.2.1")',
    "+1",
    "-1",
    "@SUM(A1)",
    "'quoted",
    "http://192.0.2.1",
    "007",
    "\t=1",
)


class SheetSuite(ABC):
    """Subclassed for each implementation."""

    @pytest.fixture
    @abstractmethod
    def sheet(self, tmp_path: Path) -> Iterator[Sheet]: ...

    @abstractmethod
    def tab_names(self, sheet: Sheet) -> list[str]: ...

    @abstractmethod
    def keep_reservations(self, servers: list[str]) -> str:
        """Makes a tab of people's own; returns its name."""

    def test_every_kind_of_table_is_shown(self, sheet: Sheet) -> None:
        sheet.publish(tables())
        assert set(self.tab_names(sheet)) >= {table.name for table in tables()}
        header, row, *_ = sheet.read("Servers")
        assert header[:2] == ["Server", "Verdict"]
        assert row[0] == "gpu1"
        assert row[3] == pytest.approx(2.515625)  # of the GPU that works

    def test_a_table_replaces_all_of_the_one_before(self, sheet: Sheet) -> None:
        sheet.publish([texts("one", "two", "three")])
        sheet.publish([texts("four")])
        assert [row[:1] for row in sheet.read("Jobs")] == [["Plain"], ["four"]]

    def test_publishing_twice_is_publishing_once(self, sheet: Sheet) -> None:
        sheet.publish(tables())
        names, values = self.tab_names(sheet), [sheet.read(table.name) for table in tables()]
        sheet.publish(tables())
        assert (self.tab_names(sheet), [sheet.read(table.name) for table in tables()]) == (names, values)

    @pytest.mark.parametrize("text", HOSTILE)
    def test_text_stays_text(self, sheet: Sheet, text: str) -> None:
        sheet.publish([texts(text)])
        assert sheet.read("Jobs")[1] == [text, f"{text} {text}", 1.5]

    def test_an_unmentioned_tab_stays_as_it_was(self, sheet: Sheet) -> None:
        sheet.publish([texts("one"), texts("two", name="Results")])
        sheet.publish([texts("three")])
        assert sheet.read("Results")[1][0] == "two"

    def test_a_tab_that_is_gone_is_removed(self, sheet: Sheet) -> None:
        sheet.publish([texts("one"), texts("two", name="Run r1")])
        sheet.publish([], gone=["Run r1", "Run never seen"])
        assert "Run r1" not in self.tab_names(sheet)
        with pytest.raises(NotFoundError, match="Run r1"):
            sheet.read("Run r1")

    def test_tabs_stand_in_their_order_with_the_newest_run_first(self, sheet: Sheet) -> None:
        for table in reversed(tables()):
            sheet.publish([table])
        later = examples.NOON + timedelta(hours=1)
        runs = [("Run r3", later), ("Run r0", examples.NOON - timedelta(hours=1)), ("Run r2", later)]
        sheet.publish([texts(name, name=name, rank=Rank.RUN.newest_first(at)) for name, at in runs])
        sheet.publish([texts("ch32", name="Fine-tuning ch32", rank=Rank.SWEEPS)])
        ours = [name for name in self.tab_names(sheet) if not name.startswith("Sheet")]
        fixed = ["Servers", "Jobs", "Results", "Leaderboard", "Fine-tuning ch32"]
        assert ours == [*fixed, "Run r2", "Run r3", "Run r1", "Run r0"]

    def test_people_see_our_columns_beside_their_own(self, sheet: Sheet) -> None:
        tab = self.keep_reservations(["gpu1", "unknown"])
        sheet.publish(tables())
        sheet.annotate(tab, "Server", SHOWN)
        sheet.annotate(tab, "", SHOWN)

    def test_a_tab_or_header_that_is_not_there_is_named(self, sheet: Sheet) -> None:
        tab = self.keep_reservations(["gpu1"])
        sheet.publish(tables())
        with pytest.raises(NotFoundError, match="Nowhere"):
            sheet.annotate("Nowhere.csv", "Server", SHOWN)
        with pytest.raises(NotFoundError, match="has no column 'Machine'"):
            sheet.annotate(tab, "Machine", SHOWN)

    def test_an_unknown_column_is_refused_and_the_known_ones_are_named(self, sheet: Sheet) -> None:
        tab = self.keep_reservations(["gpu1"])
        with pytest.raises(NotFoundError, match="has no Servers tab yet"):
            sheet.annotate(tab, "Server", SHOWN)
        sheet.publish(tables())
        with pytest.raises(NotFoundError, match="The Servers tab has no column 'Mood'") as caught:
            sheet.annotate(tab, "Server", ("Verdict", "Mood"))
        assert caught.value.hint.startswith("It has Server, Verdict, GPUs, ")

    def test_our_own_tab_is_no_tab_of_theirs(self, sheet: Sheet) -> None:
        sheet.publish(tables())
        with pytest.raises(NotFoundError):
            sheet.annotate("Servers", "Server", SHOWN)

    def test_the_tabs_that_this_release_drew_are_listed(self, sheet: Sheet) -> None:
        self.keep_reservations(["gpu1"])
        sheet.publish([texts("one"), texts("two", name="Results")])
        sheet.publish([], gone=["Results"])
        assert sheet.shown() == {"Jobs"}


class TestWorkbook(SheetSuite):
    @pytest.fixture
    def sheet(self, tmp_path: Path) -> Iterator[Sheet]:
        self.folder = tmp_path / "tabs"
        self.folder.mkdir()
        database = open_database(tmp_path / "store.db")
        yield Workbook(database, self.folder, SERVERS)
        database.dispose()

    def tab_names(self, sheet: Sheet) -> list[str]:
        assert isinstance(sheet, Workbook)
        return [name for name, _ in sheet.tabs()]

    def keep_reservations(self, servers: list[str]) -> str:
        lines = ["Who has what;;", ";;", "Purpose;Server;Who", *(f"thesis;{name} ;kim" for name in servers)]
        (self.folder / "Reservations.csv").write_text("\n".join(lines), encoding="utf-8-sig")
        return "Reservations.csv"

    def test_each_row_shows_its_own_server(self, sheet: Sheet) -> None:
        tab = self.keep_reservations(["unknown", "GPU1"])
        before = (self.folder / tab).read_bytes()
        sheet.publish(tables())
        sheet.annotate(tab, "Server", SHOWN)
        assert isinstance(sheet, Workbook)
        [shown] = sheet.table(tab)[0].sections
        assert [column.title for column in shown.columns] == ["Purpose", "Server", "Who", *SHOWN]
        unknown, known = shown.rows
        assert unknown == ("thesis", "unknown ", "kim", None, None, None, None, None)
        [servers] = tables()[0].sections
        assert known[3:] == tuple(
            cell
            for column, cell in zip(servers.columns, servers.rows[0], strict=True)
            if column.title in SHOWN
        )
        assert (self.folder / tab).read_bytes() == before

    def test_other_spellings_of_a_name_show_it_too(self, sheet: Sheet) -> None:
        tab = self.keep_reservations(["gpu1", "GPU  no. 1", "GPU no. 1 "])
        sheet.publish(tables())
        sheet.annotate(tab, "Server", SHOWN, {"GPU no. 1": "gpu1"})
        assert isinstance(sheet, Workbook)
        shown = sheet.table(tab)[0].sections[0].rows
        assert shown[0][3:] == shown[1][3:] == shown[2][3:]
        assert shown[0][3] is not None

    def test_what_is_read_of_a_file_is_peoples_own(self, sheet: Sheet) -> None:
        tab = self.keep_reservations(["gpu1"])
        before = sheet.read(tab)
        assert before[2:] == [["Purpose", "Server", "Who"], ["thesis", "gpu1 ", "kim"]]
        sheet.publish(tables())
        sheet.annotate(tab, "Server", SHOWN)
        assert sheet.read(tab) == before

    def test_files_elsewhere_are_no_tabs(self, sheet: Sheet) -> None:
        (self.folder.parent / "secret.csv").write_text("a,b")
        with pytest.raises(NotFoundError):
            sheet.read("../secret.csv")


class TestGoogle(SheetSuite):
    @pytest.fixture
    def sheet(self, tmp_path: Path) -> Iterator[Sheet]:
        with SheetsServer() as self.server:
            settings = GoogleSettings(spreadsheet="lab", api_endpoint=self.server.address)
            sheet = GoogleSheet(GoogleApi(settings, tmp_path), SERVERS)
            yield sheet
            sheet.close()
            assert not self.server.faults

    def tab_names(self, sheet: Sheet) -> list[str]:
        return [tab.title for tab in self.server.state.tabs]

    def keep_reservations(self, servers: list[str]) -> str:
        peoples_tab.reserve(self.server.state, servers)
        return peoples_tab.TITLE


class TestRelay(TestGoogle):
    """The same spreadsheet, through the script in the lab's own account."""

    @pytest.fixture
    def sheet(self, tmp_path: Path) -> Iterator[Sheet]:
        pasted = tmp_path / "Relay.js"
        pasted.write_text(filled("lab", SECRET))
        with SheetsServer() as self.server, deployed(self.server, pasted) as relay:
            sheet = GoogleSheet(GoogleApi(relay_settings(relay, tmp_path), tmp_path), SERVERS)
            yield sheet
            sheet.close()
            assert relay.seen()["posts"]
            assert not self.server.faults
