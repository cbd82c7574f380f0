"""Results that no job brought."""

from pathlib import Path

import pytest

from backend.service.wiring import Sheetrack
from models.result import ProgramResult
from models.run_folder import RunFolder
from tests.cli.command_line import complaint, data, run_here

MATRIX = "label,yes,no\nyes,9,1\nno,2,8\n"


def test_a_recorded_result_is_a_row_and_a_tab(sheetrack: Sheetrack, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(MATRIX)
    words = [
        "--name",
        "by hand",
        "--metric",
        "f1=0.91",
        "--metric",
        "net=mlp",
        "--confusion-matrix",
        str(tmp_path / "m.csv"),
    ]
    said = data(run_here("record", *words, "--json"))
    assert said["metrics"] == {"f1": 0.91, "net": "mlp"}
    assert said["confusion_matrix"] == [[9, 1], [2, 8]]
    (result,) = sheetrack.jobs.results()
    assert isinstance(result.content, ProgramResult)
    assert result.content.title == "by hand"
    assert result.content.accuracy == 0.85
    header, row = sheetrack.workbook.read("Results")
    shown = dict(zip(header, row, strict=True))
    assert (shown["Training"], shown["Test accuracy"]) == ("by hand", 0.85)
    assert "f1 0.91 · net mlp" in str(shown["Metrics"])
    table, _ = sheetrack.workbook.table(f"Run {result.run}")
    assert [section.title for section in table.sections] == [
        f"Run {result.run}", "Confusion matrix", "Most frequent confusions", "Pictures",
    ]  # fmt: skip


def test_notes_in_the_sheet_stand_among_the_results_also_after_a_command_published_them(
    sheetrack: Sheetrack,
) -> None:
    run = data(run_here("record", "--name", "by hand", "--metric", "f1=0.9", "--json"))["run"]
    file = sheetrack.home.peoples_tabs / "Notes.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"Run,Notes\n{run},lr too high\n")
    sheetrack.sheet_notes.refresh()
    for words in ([], ["--format", "csv"], ["--format", "md"], ["--format", "latex"], ["--format", "json"]):
        assert "lr too high" in run_here("results", *words).stdout
    assert data(run_here("results", "--format", "json"))[0]["Note"] == "lr too high"
    assert run_here("runs", "note", run, "best so far").returncode == 0
    header, row = sheetrack.workbook.read("Results")
    assert dict(zip(header, row, strict=True))["Note"] == "lr too high · best so far"


def test_in_a_job_it_is_the_result_of_the_job(tmp_path: Path, sheetrack: Sheetrack) -> None:
    folder = RunFolder.create(tmp_path, None)
    assert run_here("record", "--metric", "f1=1", SHEETRACK_RUN=str(folder.path)).returncode == 0
    assert folder.result_file.read_text() == '{"metrics": {"f1": 1}}'
    assert sheetrack.jobs.results() == []


@pytest.mark.parametrize(
    ("matrix", "why"),
    [
        ("label,yes,no\nyes,9,1\n", "different names or lengths"),
        ("label,yes,no\nno,9,1\nyes,1,2\n", "different names or lengths"),
        ("label,yes,no\nyes,9\nno,1,2\n", "different names or lengths"),
        ("label,yes,no\nyes,9,x\nno,1,2\n", "cannot be read as a confusion matrix"),
        ("", "cannot be read as a confusion matrix"),
    ],
)
def test_a_matrix_that_is_none_is_refused(
    sheetrack: Sheetrack, tmp_path: Path, matrix: str, why: str
) -> None:
    (tmp_path / "m.csv").write_text(matrix)
    answer = run_here("record", "--name", "x", "--confusion-matrix", str(tmp_path / "m.csv"))
    assert why in complaint(answer, 1)
    assert not sheetrack.home.runs.exists()


def test_what_is_no_picture_leaves_nothing_behind(sheetrack: Sheetrack, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    answer = run_here("record", "--name", "x", "--metric", "a=1", "--figure", str(tmp_path / "a.png"))
    assert "is no PNG file" in complaint(answer, 1)
    assert list(sheetrack.home.runs.iterdir()) == []


def test_wrong_usage_is_told(sheetrack: Sheetrack) -> None:
    assert "accuracy=0.93" in complaint(run_here("record", "--name", "x", "--metric", "9"), 2)
    assert "--metric" in complaint(run_here("record", "--name", "x"), 2)
    assert "--name" in complaint(run_here("record", "--metric", "a=1"), 2)
    assert sheetrack.jobs.results() == []
