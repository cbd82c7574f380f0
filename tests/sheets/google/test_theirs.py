"""What is read of a tab of people's own."""

from typing import Any
from zoneinfo import ZoneInfo

from backend.sheets.google.sheet import GoogleSheet
from backend.sheets.google.theirs import content_of
from tests.google import peoples_tab
from tests.google.server import SheetsServer
from tests.sheets.made_tables import SHOWN, tables


def test_the_columns_of_sheetrack_are_not_read(server: SheetsServer, sheet: GoogleSheet) -> None:
    peoples_tab.reserve(server.state, ["gpu1", "gpu2"])
    before = sheet.read(peoples_tab.TITLE)
    assert before.rows[peoples_tab.HEADER] == list(peoples_tab.HEADERS)
    sheet.publish(tables())
    sheet.annotate(peoples_tab.TITLE, "Server", SHOWN)
    assert sheet.read(peoples_tab.TITLE) == before


def test_locale_and_zone_come_with_the_first_read(server: SheetsServer, sheet: GoogleSheet) -> None:
    peoples_tab.reserve(server.state, ["gpu1"])
    server.state.locale, server.state.zone = "ja_JP", "Asia/Tokyo"
    content = sheet.read(peoples_tab.TITLE)
    assert (content.locale, content.zone) == ("ja_JP", ZoneInfo("Asia/Tokyo"))


def answered(rows: list[list[dict[str, Any]]], **sheet: Any) -> dict[str, Any]:
    data = [{"rowData": [{"values": cells} for cells in rows]}]
    properties = {"sheetId": 7, "title": "Lab"}
    return {
        "properties": {"locale": "en_US", "timeZone": "Nowhere/Unknown"},
        "sheets": [{"properties": properties, "data": data, **sheet}],
    }


def number(value: float, shown: str) -> dict[str, Any]:
    return {"effectiveValue": {"numberValue": value}, "formattedValue": shown}


def test_values_and_what_they_show() -> None:
    error = {"effectiveValue": {"errorValue": {"type": "REF"}}, "formattedValue": "#REF!"}
    tick = {"effectiveValue": {"boolValue": False}, "formattedValue": "FALSE"}
    content = content_of(answered([[number(1, "01"), {}, tick, error, {}], [{}], [{}, {}]]))
    assert content.rows == [[1, None, False, "#REF!"]]
    assert content.shown == [["01", "", "FALSE", "#REF!"]]
    assert content.text(0, 0) == "01"
    assert (content.value(5, 0), content.text(0, 9), content.value(0, None)) == (None, "", None)
    assert str(content.zone) == "UTC"


def test_a_merged_cell_stands_for_all_of_its_area() -> None:
    merges = [
        {"startRowIndex": 0, "endRowIndex": 3, "startColumnIndex": 0, "endColumnIndex": 1},
        {"startRowIndex": 1, "endRowIndex": 2, "startColumnIndex": 1, "endColumnIndex": 900},
        {"startRowIndex": 50, "endRowIndex": 90, "startColumnIndex": 0, "endColumnIndex": 2},
    ]
    rows = [
        [number(1, "one"), number(2, "two"), number(3, "three")],
        [{}, number(4, "four")],
        [{}, number(5, "five")],
    ]
    content = content_of(answered(rows, merges=merges))
    assert content.rows == [[1, 2, 3], [1, 4, 4], [1, 5]]
    assert content.texts(1) == ["one", "four", "four"]
