"""The layouts of reservations, read from the workbook's CSV files and from Google."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from gspread.utils import a1_range_to_grid_range

from backend.database import open_database
from backend.errors import NotFoundError
from backend.servers.reservation import Reservation, Understood
from backend.servers.reservations_tab import reservations
from backend.settings import GoogleSettings, ReservationSettings
from backend.sheets.content import TabContent, Value
from backend.sheets.google.api import GoogleApi
from backend.sheets.google.sheet import GoogleSheet
from backend.sheets.workbook import Workbook
from backend.tabs.names import SERVERS as SERVERS_TAB
from tests.google.server import SheetsServer
from tests.google.state import Tab
from tests.servers.layouts import BERLIN, NOW, SERVERS, Layout, shown, told
from tests.servers.layouts_grids import GRIDS
from tests.servers.layouts_habits import HABITS
from tests.servers.layouts_names import NAMES
from tests.servers.layouts_shapes import SHAPES
from tests.servers.layouts_times import TIMES

HEADER: list[Value] = ["Server", "User", "From", "Until"]
LAYOUTS = [*TIMES, *SHAPES, *NAMES, *GRIDS, *HABITS]


def read(
    *rows: list[Value], locale: str = "", zone: ZoneInfo = BERLIN, named: Mapping[str, str] | None = None
) -> Understood:
    content = TabContent(list(rows), locale=locale, zone=zone)
    return reservations(
        content, ReservationSettings.model_validate({"tab": "Reservations", **(named or {})}), SERVERS, NOW
    )


def check(layout: Layout, content: TabContent) -> None:
    found = reservations(content, ReservationSettings(tab="Lab"), layout.servers, NOW)
    assert (shown(found), told(found)) == (layout.reserved, layout.told)
    assert [layout.remark in remark for remark in found.remarks] == ([True] if layout.remark else [])


@pytest.mark.parametrize(
    "layout", [one for one in LAYOUTS if not (one.locale or one.merges)], ids=lambda one: one.name
)
def test_a_layout_in_a_csv_file(layout: Layout, tmp_path: Path) -> None:
    with (tmp_path / "Lab.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(layout.rows)
    database = open_database(tmp_path / "store.db")
    content = Workbook(database, tmp_path, SERVERS_TAB).read("Lab.csv")
    database.dispose()
    check(layout, replace(content, zone=BERLIN))


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SheetsServer, GoogleSheet]]:
    with SheetsServer() as server:
        settings = GoogleSettings(spreadsheet="lab", api_endpoint=server.address)
        sheet = GoogleSheet(GoogleApi(settings, tmp_path_factory.mktemp("home")), SERVERS_TAB)
        yield server, sheet
        sheet.close()
        assert not server.faults


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda one: one.name)
def test_a_layout_in_google(layout: Layout, google: tuple[SheetsServer, GoogleSheet]) -> None:
    server, sheet = google
    server.state.locale = layout.locale or "en_US"
    server.state.tabs = [Tab(0, "Sheet1"), tab := Tab(77, "Lab")]
    for row, cells in enumerate(layout.rows):
        for column, value in enumerate(cells):
            tab.put(row, column, _entered(value))
    tab.merges += [{"sheetId": 77, **a1_range_to_grid_range(area)} for area in layout.merges]
    check(layout, sheet.read("Lab"))


def _entered(value: Value) -> dict[str, Any]:
    kind = {bool: "boolValue", str: "stringValue"}.get(type(value), "numberValue")
    return {} if value in (None, "") else {"userEnteredValue": {kind: value}}


def test_columns_can_be_named() -> None:
    header: list[Value] = ["Wer auch immer", "Kiste", "Feierabend"]
    named = {"server": "Kiste", "person": "Wer auch immer", "end": "Feierabend"}
    [only] = read(header, ["Kim", "gpu1", "2026-03-04"], named=named).reservations
    assert (only.server, only.person, only.end) == ("gpu1", "Kim", datetime(2026, 3, 5, tzinfo=BERLIN))
    with pytest.raises(NotFoundError, match="has no column 'Feierabend'"):
        read(["Wer auch immer", "Kiste"], named=named)


@pytest.mark.parametrize(
    ("header", "person"),
    [
        (["Name", "Server", "User"], "c"),
        (["User", "Server", "Name"], "a"),
        (["Host", "Server", "Person"], "c"),
        (["Owner", "Server", "Who"], "c"),
        (["Used by", "Hostname", "Name"], "a"),
        (["Kim's", "Name", "Who"], "c"),
        (["Reserved by (initials)", "Server name", "Purpose"], "a"),
    ],
)
def test_headers_have_priorities_and_columns_do_not(header: list[Value], person: str) -> None:
    row: list[Value] = [{"a": "Ann", "c": "Cem"}.get(letter, "") for letter in "abc"]
    row[1] = "gpu1"
    [only] = read(header, row).reservations
    assert only == Reservation("gpu1", {"a": "Ann", "c": "Cem"}[person])


def test_a_list_with_times_and_without_people_is_refused() -> None:
    with pytest.raises(NotFoundError, match="does not say who") as caught:
        read(["Server", "From", "Until"], ["gpu1", "", ""])
    assert "reservations.person" in caught.value.hint
    with pytest.raises(NotFoundError, match="has no column of the servers' names"):
        read(["Purpose", "When"], ["thesis", "2026-03-04"])
    with pytest.raises(NotFoundError, match="has no column of the servers' names"):
        read()


@pytest.mark.parametrize("date", [46085, "2026-03-04", "04.03.2026 "])
def test_a_day_ends_at_midnight_of_the_zone_of_the_sheet(date: Value) -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    [only] = read(HEADER, ["gpu1", "Kim", date, date], zone=tokyo).reservations
    assert only.start == datetime(2026, 3, 3, 15, tzinfo=UTC)
    assert only.end == datetime(2026, 3, 4, 15, tzinfo=UTC)
    assert only.covers(only.start)
    assert not only.covers(only.end)


def test_a_day_of_the_summer_is_that_of_the_summer() -> None:
    [only] = read(HEADER, ["gpu1", "Kim", "2026-10-25", "2026-10-25"]).reservations
    assert only.start
    assert only.end
    assert only.end.astimezone(UTC) - only.start.astimezone(UTC) == timedelta(hours=25)


@pytest.mark.parametrize(
    "cell",
    [-700000, 491701234567, "soon", "3/4/2026", True, float("inf"), 10**400, "0001-01-01T00:00+14:00", "TBD"],
)
@pytest.mark.parametrize("column", [2, 3])
def test_a_row_that_is_not_understood_reserves_nothing_and_costs_no_other(cell: Value, column: int) -> None:
    wrong: list[Value] = ["gpu1", "Kim", None, None]
    wrong[column] = cell
    found = read(["Our servers"], HEADER, ["gpu0", "Lee"], wrong, ["gpu2", "Max"])
    assert found.reservations == [Reservation("gpu0", "Lee"), Reservation("gpu2", "Max")]
    assert [note.row for note in found.problems] == [4]


def test_both_ends_of_time_are_compared_without_harm() -> None:
    [only] = read(HEADER, ["gpu1", "Kim", "1970-01-01T00:00+14:00", "9999-12-31T23:00-12:00"]).reservations
    moments = (datetime.min.replace(tzinfo=UTC), NOW, datetime.max.replace(tzinfo=UTC))
    assert [only.covers(moment) for moment in moments] == [False, True, True]
    [ever] = read(HEADER, ["gpu1", "Kim", None, 2958465]).reservations
    assert ever.covers(NOW)


def test_the_order_of_day_and_month_is_that_of_the_locale_and_of_the_other_dates() -> None:
    def ends(locale: str, *dates: str) -> tuple[list[str], str]:
        rows: list[list[Value]] = [["gpu1", "Kim", "", date] for date in dates]
        found = read(HEADER, *rows, locale=locale)
        return [f"{one.end - timedelta(days=1):%m-%d}" for one in found.reservations if one.end], told(found)

    assert ends("en_US", "3/4/2026") == (
        ["03-04"],
        "1 understood, row 2 doubtful: '3/4/2026' is read as 2026-03-04, by the locale en_US",
    )
    assert ends("en_GB", "3/4/2026")[0] == ["04-03"]
    assert ends("", "3/4/2026", "25/12/2026") == (["04-03", "12-25"], "2 understood")
    assert ends("", "3/4/2026", "12/25/2026") == (["03-04", "12-25"], "2 understood")
    assert ends("en_US", "25/12/2026", "12/25/2026", "3/4/2026") == (
        ["12-25", "12-25"],
        "2 understood, row 4 not: '3/4/2026' has two meanings, as day and month may come in either order",
    )


def test_a_date_that_the_spreadsheet_may_have_turned_round_is_doubtful() -> None:
    found = read(HEADER, ["gpu1", "Kim", "", 46117], ["gpu1", "Lee", "", "25/12/2026"], locale="en_US")
    assert told(found) == (
        "2 understood, row 2 doubtful: the locale en_US made 2026-04-05 of it, "
        "while other dates here are written day first"
    )


def test_rows_without_a_person_reserve_nothing() -> None:
    found = read(
        HEADER, ["gpu1", ""], [], ["gpu2"], ["note", None, "soon"], ["gpu1", "", "2026-03-04", "2026-03-05"]
    )
    assert (found.reservations, told(found)) == ([], "0 understood, row 6 not: no name")


def test_names_are_shown_as_text() -> None:
    [only] = read(HEADER, ["gpu1", f"Kim\u202e{'x' * 1000}"]).reservations
    assert only.person.isprintable()
    assert len(only.person) == 100


def test_a_tab_of_thousands_of_rows_is_read() -> None:
    rows: list[list[Value]] = [
        ["gpu1", f"person {at}", f"next week {at}", "2026-11-27"] for at in range(5000)
    ]
    found = read(HEADER, *rows)
    assert len(found.problems) == 5000
    assert told(found).endswith(" and 4975 more not, for other reasons")


def test_days_and_times_count_whatever_their_format_shows() -> None:
    rows: list[list[Value]] = [
        ["Server", "Date", "From", "Who"],
        ["gpu1", 46274, 46274, "Kim"],
        ["gpu2", 46274, 9, "Lee"],
    ]
    shown_as = [
        ["Server", "Date", "From", "Who"],
        ["gpu1", "Wed", "09.09", "Kim"],
        ["gpu2", "09.09", "9", "Lee"],
    ]
    found = reservations(
        TabContent(rows, shown_as, zone=BERLIN), ReservationSettings(tab="Lab"), SERVERS, NOW
    )
    assert shown(found) == ["gpu1 Kim 09-09 00:00 - 09-10 00:00", "gpu2 Lee 09-09 09:00 - 09-10 00:00"]
    rows = [["Server", 46350, 46351], ["gpu1", "Kim", "Lee"]]
    shown_as = [["Server", "Mon", "Tue"], ["gpu1", "Kim", "Lee"]]
    found = reservations(
        TabContent(rows, shown_as, zone=BERLIN), ReservationSettings(tab="Lab"), SERVERS, NOW
    )
    assert shown(found) == ["gpu1 Kim 11-24 00:00 - 11-25 00:00", "gpu1 Lee 11-25 00:00 - 11-26 00:00"]


def test_other_spellings_of_a_server_are_known() -> None:
    found = read(
        HEADER,
        ["gpu1 (10.0.0.1)", "Kim"],
        ["GPU1", ""],
        ["GPU 2", ""],
        ["gpu1  (10.0.0.1)", "Lee"],
        ["gpu1, gpu2", "Max"],
        ["gpu1:0-3", "Park"],
        ["gpu02.lab", ""],
        ["elsewhere", "Kim"],
    )
    assert found.spellings == {
        "gpu1 (10.0.0.1)": "gpu1", "GPU 2": "gpu2", "gpu1:0-3": "gpu1", "gpu02.lab": "gpu2",
    }  # fmt: skip
