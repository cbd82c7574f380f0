"""The Results tab."""

from backend.sheets.table import Number, Text
from backend.tabs.results import results_table
from tests import examples
from tests.tabs.rows import named


def test_the_best_result_is_bold_and_synthetic_data_is_called_so() -> None:
    section = results_table([examples.result("r1", 0.7), examples.result("r2", 0.9)]).sections[0]
    assert [named(section, row)["Test accuracy"] for row in (0, 1)] == [
        Number(value=0.7, format="accuracy"),
        Number(value=0.9, format="accuracy", bold=True),
    ]
    assert named(section)["Data"] == Text(text="speech", note="synthetic speech")
