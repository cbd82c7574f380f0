"""Tables as CSV, Markdown and LaTeX."""

import csv
import io
import json
import sys

import click
import pytest

from backend.cli.table_text import Shape, print_table
from backend.sheets.table import Column, Number, Section, Table, Text

COLUMNS = (
    Column(title="Training"),
    Column(title="Accuracy", format="accuracy"),
    Column(title="Parameters", format="integer"),
    Column(title="Again"),
)
ROWS = (
    (Text(text="ch32 · 8", note="50%_off"), 0.91, 94_768, "sheetrack train"),
    ("base", Number(value=0.93, format="accuracy", spread=0.0041, count=3), None, None),
    ("seed 1", 0.935, None, None),
)
TABLE = Table(name="T", rank=0, sections=(Section(columns=COLUMNS, rows=ROWS, levels=(0, 0, 1)),))


def test_csv_has_plain_numbers_and_deviations_beside_means(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(TABLE, "csv", sort="accuracy")
    base, ch32 = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (base["Training"], base["Accuracy"], base["Accuracy sd"], base["Accuracy n"]) == (
        "base", "0.93", "0.0041", "3"
    )  # fmt: skip
    assert (ch32["Accuracy"], ch32["Accuracy sd"], ch32["Parameters"]) == ("0.91", "", "94768")
    assert "Again" not in ch32


@pytest.mark.parametrize("shape", ["csv", "md", "latex"])
def test_a_narrow_terminal_breaks_no_line(
    shape: Shape, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    print_table(TABLE, shape)
    whole = capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(TABLE, shape)
    assert capsys.readouterr().out == whole


def test_latex_escapes_text_and_makes_the_best_bold(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(TABLE, "latex")
    assert capsys.readouterr().out.splitlines() == [
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"Training & Accuracy (\%) & Parameters \\",
        r"\midrule",
        r"ch32 $\cdot$ 8 (50\%\_off) & 91.00 & 94,768 \\",
        r"base & \textbf{93.00 $\pm$ 0.41 (3)} &  \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_markdown_and_json_have_the_columns_and_rows_that_are_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(TABLE, "md", columns="accuracy,training")
    assert capsys.readouterr().out.splitlines() == [
        "| Accuracy (%) | Training |",
        "| ---: | --- |",
        "| 91.00 | ch32 · 8 (50%_off) |",
        "| **93.00 ± 0.41 (3)** | base |",
    ]
    print_table(TABLE, "json", sort="training", limit=1)
    assert [row["Training"] for row in json.loads(capsys.readouterr().out)] == ["base"]
    with pytest.raises(click.BadParameter, match="There is no column 'loss': choose from Training, Accuracy"):
        print_table(TABLE, "md", sort="loss")
