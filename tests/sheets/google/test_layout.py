"""Widths, merges and heat maps."""

import pytest

from backend.sheets.google.sheet import GoogleSheet
from backend.sheets.table import Column, Section, Spark, Table
from backend.tabs.servers import servers_table
from tests import examples
from tests.google.server import SheetsServer
from tests.sheets.made_tables import tables


def test_what_people_adjust_in_our_tabs_stays(server: SheetsServer, sheet: GoogleSheet) -> None:
    sheet.publish(tables())
    server.state.tab("Servers").columns[1].properties["pixelSize"] = 555
    sheet.publish(tables())
    assert server.state.tab("Servers").columns[1].properties["pixelSize"] == 555


def test_what_people_adjust_stays_when_the_largest_server_comes_and_goes(
    server: SheetsServer, sheet: GoogleSheet
) -> None:
    busy = examples.busy_server()
    assert busy.snapshot
    assert busy.snapshot.gpus
    large = busy.model_copy(
        update={
            "name": "gpu9",
            "snapshot": busy.snapshot.model_copy(update={"gpus": busy.snapshot.gpus * 4}),
        }
    )
    sheet.publish([servers_table([busy])])
    tab = server.state.tab("Servers")
    tab.columns[1].properties["pixelSize"] = 555
    tab.columns[6].properties["hiddenByUser"] = True
    theirs = {"ranges": [{"sheetId": tab.id, "startColumnIndex": 1, "endColumnIndex": 2}], "booleanRule": {}}
    tab.rules += [theirs]
    count = len(tab.columns)
    for servers in ([busy, large], [busy], [busy, large, busy]):
        sheet.publish([servers_table(servers)])
        assert tab.columns[1].properties["pixelSize"] == 555
        assert tab.columns[6].properties["hiddenByUser"] is True
        assert theirs in tab.rules
        assert len(tab.rules) == 2
        hidden = [line.properties.get("hiddenByUser", False) for line in tab.columns]
        assert all(hidden[9:]), "the numbers of the curves"
    assert len(tab.columns) > count
    sheet.publish([servers_table([busy], reservations=True)])
    assert tab.columns[9].properties["hiddenByUser"] is False
    assert theirs in tab.rules
    sheet.publish([servers_table([busy])])
    assert tab.columns[9].properties["hiddenByUser"] is True


def test_a_cell_that_takes_several_columns_is_merged_once(server: SheetsServer, sheet: GoogleSheet) -> None:
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
    server: SheetsServer, sheet: GoogleSheet, heat: str, points: dict[str, tuple[str, str | None]]
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
