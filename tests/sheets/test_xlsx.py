"""The workbook file, read back with another library."""

from pathlib import Path

import openpyxl
import pytest

from backend.sheets.table import Column, Picture, Section, Spark, Table, Text
from backend.sheets.xlsx import sheet_names, write_workbook
from backend.tabs.comparison import comparison_table
from models.compare import compare
from tests import examples
from tests.page.runs import draw_figures


def written(tmp_path: Path, *tables: Table) -> openpyxl.Workbook:
    file = tmp_path / "tabs.xlsx"
    write_workbook(file, tables, lambda picture: tmp_path / f"{picture.figure}.png")
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


HOSTILE_NAMES = (
    "History",
    "history",
    "'quoted'",
    "a[b]c:d*e?f/g\\h",
    "Compare published:base r3f2a9b and more",
    "Compare published:base r3f2a9b and less",
    "compare published:base r3f2a9b AND so on",
    "x" * 30 + "'s tab",
    "\U0001f600" * 20,
    "\U0001f600" * 21,
    "line\nbreak\x1b\x00",
    "Curves",
    "curves",
    "A#B!$1",
    " ",
    "\udcff",
)


def test_every_name_becomes_one_that_excel_takes() -> None:
    names = dict(zip(HOSTILE_NAMES, sheet_names(HOSTILE_NAMES), strict=True))
    assert len({name.casefold() for name in names.values()}) == len(HOSTILE_NAMES)
    for name in names.values():
        assert 1 <= len(name.encode("utf-16-le")) // 2 <= 31
        assert not set(name) & set("[]:*?/\\\n\x1b\x00")
        assert not name.startswith("'")
        assert not name.endswith("'")
        assert name.casefold() != "history"
    assert names["A#B!$1"] == "A#B!$1"
    assert [names[name] for name in HOSTILE_NAMES[4:7]] == [
        "Compare published-base r3f2a9b ",
        "Compare published-base r3f2 (2)",
        "compare published-base r3f2 (3)",
    ]


@pytest.mark.filterwarnings("ignore:Sparkline Group extension")
def test_links_lead_to_the_tabs_under_their_new_names(tmp_path: Path) -> None:
    names = [name for name in HOSTILE_NAMES if name != "\udcff"]
    rows = tuple(
        (Text(text=name, tab=name, note="a note"), Spark(values=(1, 2), label="1 to 2")) for name in names
    )
    section = Section(
        columns=(Column(title="Tab"), Column(title="Curve")),
        rows=(*rows, (Text(text="gone", tab="no such tab"), None)),
    )
    others = [
        Table(name=name, rank=1, sections=(Section(columns=(Column(title="Name"),)),)) for name in names
    ]
    book = written(tmp_path, Table(name="Index", rank=0, sections=(section,)), *others)
    renamed = dict(zip(["Index", *names], sheet_names(["Index", *names]), strict=True))
    assert book.sheetnames[:-1] == list(renamed.values())
    sheet = book["Index"]
    for row, name in enumerate(names, start=2):
        cell = sheet.cell(row, 1)
        assert str(cell.value).startswith(name[:4])
        quoted = renamed[name].replace("'", "''")
        assert cell.hyperlink is not None
        assert cell.hyperlink.location == f"'{quoted}'!A1"
    assert sheet.cell(len(names) + 2, 1).hyperlink is None


def test_a_broken_picture_costs_itself(tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    draw_figures(tmp_path / "run")
    whole.write_bytes(next((tmp_path / "run" / "figures").glob("*.png")).read_bytes())
    broken = {
        "empty": b"",
        "cut": whole.read_bytes()[:20],
        "words": b"no picture at all, but long enough for one",
    }
    for name, content in broken.items():
        (tmp_path / f"{name}.png").write_bytes(content)
    pictures = tuple(
        Picture(run="r1", figure=name, alt=f"The {name} one") for name in (*broken, "missing", "whole")
    )
    section = Section(columns=(Column(title="A"),), rows=(("a",),), pictures=pictures)
    sheet = written(tmp_path, Table(name="Tab", rank=0, sections=(section,))).active
    assert sheet is not None
    said = [sheet.cell(row, 1).value for row in range(3, 7)]
    assert said == [f"The {name} one: this picture is missing or broken." for name in (*broken, "missing")]
    assert len(sheet._images) == 1
