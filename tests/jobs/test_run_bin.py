"""Runs in the bin, and what people note about runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.errors import ConflictError, NotFoundError
from backend.jobs.marks import MarkChange
from backend.service.wiring import Sheetrack
from backend.settings import Home
from tests import examples
from tests.cli.command_line import complaint, data, run_here


@pytest.fixture
def sheetrack(home: Home) -> Iterator[Sheetrack]:
    parts = Sheetrack(home)
    folder = home.runs / "r1"
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_text(examples.recipe().model_dump_json())
    (folder / "result.json").write_text(examples.run_result("r1").model_dump_json())
    parts.results.collect()
    yield parts
    parts.close()


def shown(sheetrack: Sheetrack) -> list[str]:
    return [result.run for result in sheetrack.jobs.results()]


def test_a_deleted_run_can_be_taken_back(sheetrack: Sheetrack, home: Home) -> None:
    run_bin = sheetrack.run_bin
    run_bin.delete("r1")
    assert shown(sheetrack) == []
    assert "Run r1" not in sheetrack.workbook.shown()
    assert [one.run for one in run_bin.runs()] == ["r1"]
    assert run_bin.has("r1")
    with pytest.raises(NotFoundError):
        run_bin.delete("r1")
    run_bin.restore("r1")
    assert shown(sheetrack) == ["r1"]
    assert (home.runs / "r1" / "result.json").exists()
    assert "Run r1" in sheetrack.workbook.shown()
    run_bin.delete("r1")
    assert run_bin.empty() == 1
    assert run_bin.runs() == []
    with pytest.raises(NotFoundError):
        run_bin.restore("r1")


def test_a_job_that_is_not_over_is_not_deleted(sheetrack: Sheetrack) -> None:
    sheetrack.jobs.add_job(examples.running("r1"))
    with pytest.raises(ConflictError, match="Cancel it first"):
        sheetrack.run_bin.delete("r1")
    assert shown(sheetrack) == ["r1"]


def test_nothing_outside_the_runs_is_deleted(sheetrack: Sheetrack, home: Home, tmp_path: Path) -> None:
    for name in ("..", ".bin", "", "../runs", str(tmp_path)):
        with pytest.raises(NotFoundError):
            sheetrack.run_bin.delete(name)
    assert home.runs.exists()


def test_marks_stay_as_they_are_but_for_what_changes(sheetrack: Sheetrack) -> None:
    sheetrack.marks.change("r1", MarkChange(name="wide", note="lr too high"))
    mark = sheetrack.marks.change("r1", MarkChange(is_starred=True))
    assert (mark.name, mark.note, mark.is_starred) == ("wide", "lr too high", True)
    assert sheetrack.marks.all() == {"r1": mark}


def test_the_command_line_marks_and_deletes(sheetrack: Sheetrack) -> None:
    assert run_here("runs", "star", "r1").stdout == "r1 has a star\n"
    assert run_here("runs", "rename", "r1", "wide").returncode == 0
    assert run_here("runs", "note", "r1", "lr too high").returncode == 0
    assert run_here("runs", "archive", "r1").returncode == 0
    mark = sheetrack.marks.of("r1")
    assert (mark.name, mark.note, mark.is_starred, mark.is_archived) == ("wide", "lr too high", True, True)
    assert "There is no run 'r2'" in complaint(run_here("runs", "star", "r2"), 1)
    assert "sheetrack runs restore r1" in run_here("runs", "delete", "r1").stdout
    assert [one["run"] for one in data(run_here("runs", "bin", "--json"))] == ["r1"]
    assert run_here("runs", "restore", "r1").stdout == "r1 is back\n"
