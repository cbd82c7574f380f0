"""The tab of a comparison."""

from backend.sheets.table import Number
from backend.tabs.comparison import comparison_table, pairwise_table
from models.compare import compare, compare_all
from tests import examples


def test_a_comparison_shows_what_changed_and_whether_it_is_chance() -> None:
    table = comparison_table(compare("published:base", "published:ch32"), examples.NOON)
    facts, first, second, difference, pairs = table.sections
    assert table.name == "Compare published:base published:ch32"
    assert facts.rows[2][1:] == (
        Number(value=4470 / 4815, format="accuracy"),
        Number(value=4590 / 4815, format="accuracy", bold=True),
        Number(value=4590 / 4815 - 4470 / 4815, format="points"),
    )
    assert facts.rows[-1][1] == "two-proportion z-test: p < 0.0001"
    assert "McNemar" in facts.note
    assert pairs.rows[0] == ("three / tree", 52, 23, -29)
    words = [column.title for column in difference.columns]
    three, tree = words.index("three"), words.index("tree")
    assert (first.rows[three - 1][tree], second.rows[three - 1][tree]) == (20, 8)
    assert difference.rows[three - 1][tree] == -12
    assert difference.heat == "difference"
    for section in table.sections:
        assert {len(row) for row in section.rows} <= {len(section.columns)}


def test_a_comparison_of_different_clips_is_in_per_cent() -> None:
    comparison = compare("published:base", "published:ch32")
    fewer = [[count // 2 for count in row] for row in comparison.b.confusion_matrix]
    other = comparison.model_copy(
        update={
            "b": comparison.b.model_copy(update={"confusion_matrix": fewer, "clips": sum(map(sum, fewer))})
        }
    )
    difference = comparison_table(other, examples.NOON).sections[3]
    assert {column.format for column in difference.columns[1:]} == {"percent"}
    shown = [cell for row in difference.rows for cell in row[1:] if cell is not None]
    assert shown
    assert all(isinstance(cell, float) and 0.005 <= abs(cell) <= 1 for cell in shown)


def test_runs_of_which_no_two_can_be_tested_name_no_test() -> None:
    pairwise = compare_all(["published:base", "published:ch32"])
    [section] = pairwise_table(pairwise).sections
    assert section.note.startswith("p by ")
    untested = pairwise.model_copy(update={"tests": [[None, None], [None, None]], "notes": ["Other words."]})
    [section] = pairwise_table(untested).sections
    assert section.note == "No two of them can be tested. Other words."
