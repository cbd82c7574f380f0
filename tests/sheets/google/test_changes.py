"""Only the cells that changed are written, and all of them where people touched a tab."""

from datetime import timedelta

import pytest

from backend.sheets.google.api import ProtectedError
from backend.sheets.google.cells import Values
from backend.sheets.google.changes import changes, is_shown, whole
from backend.sheets.google.sheet import GoogleSheet
from backend.tabs.servers import servers_table
from tests import examples
from tests.google.server import SheetsServer
from tests.google.state import Row
from tests.sheets.made_tables import named, texts

NAMES = [f"gpu{number:03}" for number in range(200)]


def cell(text: str, **looks: object) -> Values:
    return {"userEnteredValue": {"stringValue": text}} | ({"userEnteredFormat": looks} if looks else {})


def test_neighbours_are_one_rectangle() -> None:
    before = [[cell("a"), cell("b"), cell("c")] for _ in range(4)]
    after = [[cell("a"), cell("B"), cell("c")] for _ in range(4)]
    (request,) = changes(before, after, 7, (5, 4))
    assert request["updateCells"] == {
        "start": {"sheetId": 7, "rowIndex": 0, "columnIndex": 1},
        "rows": [{"values": [cell("B")]}] * 4,
        "fields": "userEnteredValue",
    }
    assert changes(after, after, 7, (5, 4)) == []


def test_a_new_look_is_written_and_what_is_gone_is_cleared() -> None:
    (looks,) = changes([[cell("a")]], [[cell("a", bold=True)]], 7, (2, 2))
    assert looks["updateCells"]["fields"].startswith("userEnteredValue,userEnteredFormat")
    (gone,) = changes([[cell("a")], [cell("b")]], [[cell("a")]], 7, (2, 2))
    assert gone["updateCells"]["rows"] == [{"values": [{}]}]
    assert changes([[cell("a")], [cell("b")]], [[cell("a")]], 7, (1, 2)) == [], "that row is cut off"


def test_a_thousand_small_changes_are_one_large_one() -> None:
    before = [[cell("a")] if at % 2 else [cell("b")] for at in range(2000)]
    after = [[cell("a")] for _ in range(2000)]
    assert changes(before, after, 7, (2001, 2)) == whole(after, 7)


def test_numbers_are_no_texts_to_compare() -> None:
    number = {"userEnteredValue": {"numberValue": 1.5}}
    assert is_shown([[cell("a"), number]], ["a"], ["a", "1,50"])
    assert not is_shown([[cell("a"), number]], ["b"], ["b", "1,50"])
    assert not is_shown([[cell("a")]], ["a", "more"], ["a"])


def test_at_rest_nothing_but_the_time_is_written(server: SheetsServer, sheet: GoogleSheet) -> None:
    for number in range(3):
        at = examples.NOON + timedelta(seconds=15 * number)
        servers = [server.model_copy(update={"seen_at": at}) for server in named(*NAMES)]
        sheet.publish([servers_table(servers)])
        assert len(server.writes) == number + 1
    assert server.writes[0].bytes > 200_000
    assert server.writes[1].bytes == server.writes[2].bytes < 20_000
    assert server.writes[1].requests == 1


def test_a_tab_that_people_sorted_or_cut_is_written_as_a_whole(
    server: SheetsServer, sheet: GoogleSheet
) -> None:
    def publish(*names: str) -> list[object]:
        sheet.publish([servers_table(named(*names))])
        return [row[0] for row in sheet.read("Servers")[1:4]]

    assert publish("gpu1", "gpu2", "gpu3") == ["gpu1", "gpu2", "gpu3"]
    tab = server.state.tab("Servers")
    tab.rows[1:4] = [tab.rows[3], tab.rows[1], tab.rows[2]]
    assert publish("gpu1", "gpu2", "gpu3") == ["gpu1", "gpu2", "gpu3"]
    del tab.rows[2]
    assert publish("gpu1", "gpu2", "gpu3") == ["gpu1", "gpu2", "gpu3"]
    tab.rows.insert(1, Row())
    assert publish("gpu1", "gpu2", "gpu4") == ["gpu1", "gpu2", "gpu4"]
    del tab.columns[1]
    publish("gpu1", "gpu2", "gpu4")
    assert sheet.read("Servers")[0][1] == "Verdict"


def test_what_people_typed_over_is_written_again_in_time(server: SheetsServer, sheet: GoogleSheet) -> None:
    now = [0.0]
    sheet._clock = lambda: now[0]
    sheet.publish([texts("one", "two")])
    server.state.tab("Jobs").put(1, 1, cell("mine"))
    now[0] += 300
    sheet.publish([texts("one", "three")])
    assert sheet.read("Jobs")[1][1] == "mine"
    now[0] += 301
    sheet.publish([texts("one", "four")])
    assert sheet.read("Jobs")[1][1] == "one one"


def test_a_batch_that_failed_is_not_believed(server: SheetsServer, sheet: GoogleSheet) -> None:
    sheet.publish([texts("one")])
    server.state.tab("Jobs").is_locked = True
    with pytest.raises(ProtectedError):
        sheet.publish([texts("two")])
    server.state.tab("Jobs").is_locked = False
    sheet.publish([texts("two")])
    assert sheet.read("Jobs")[1][0] == "two"
