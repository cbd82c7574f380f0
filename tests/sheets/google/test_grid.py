"""Curves and the cells behind them."""

from backend.sheets.google.sheet import GoogleSheet
from backend.tabs.servers import servers_table
from tests import examples
from tests.google.server import SheetsServer


def test_curves_are_drawn_from_cells_of_the_same_tab(server: SheetsServer, sheet: GoogleSheet) -> None:
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
