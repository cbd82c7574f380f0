"""The workbook file, read back with another library."""

from pathlib import Path

import openpyxl
import pytest

from backend.sheets.table import Column, Section, Table, Text
from backend.sheets.xlsx import write_workbook
from backend.tabs.comparison import comparison_table
from models.compare import compare
from tests import examples


def written(tmp_path: Path, *tables: Table) -> openpyxl.Workbook:
    file = tmp_path / "tabs.xlsx"
    write_workbook(file, tables, lambda run: tmp_path / run)
    return openpyxl.load_workbook(file)


def test_differences_have_a_scale_as_far_to_either_side_of_zero(tmp_path: Path) -> None:
    comparison = compare("published:base", "published:ch32")
    book = written(tmp_path, comparison_table(comparison, examples.NOON))
    # A sheet's name may hold neither a colon nor more than 31 characters.
    assert book.sheetnames == ["Compare published-base publishe"]
    rules = [rule for area in book.worksheets[0].conditional_formatting for rule in area.rules]
    scales = [[(end.type, end.val) for end in rule.colorScale.cfvo] for rule in rules]
    most = max(abs(count) for row in comparison.difference for count in row)
    assert scales[-1] == [("num", -most), ("num", 0), ("num", most)]
    assert [scale[0] for scale in scales[:-1]] == [("num", 0)] * 2


@pytest.mark.parametrize(
    ("column", "align"),
    [
        (Column(title="A", format="accuracy", heat=True), "center"),
        (Column(title="A", format="accuracy"), "right"),
        (Column(title="A"), "left"),
    ],
)
def test_words_stand_as_the_numbers_of_their_column(tmp_path: Path, column: Column, align: str) -> None:
    section = Section(columns=(column,), rows=(("X",), (Text(text="queued", tone="soft"),)))
    sheet = written(tmp_path, Table(name="Tab", rank=0, sections=(section,))).active
    assert sheet is not None
    assert [sheet.cell(row, 1).alignment.horizontal for row in (1, 2, 3)] == [align] * 3
