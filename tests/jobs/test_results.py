"""Finished runs, and runs with broken files: each costs only itself and is named where people look."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from backend.jobs.job import JobState
from backend.service.serving import serving
from backend.service.wiring import Sheetrack
from backend.settings import Home
from backend.sheets.table import Section, Text
from models.figures import draw
from models.run_folder import RunFolder
from models.run_reader import read_recipe
from tests import examples
from tests.models.breakage import params
from tests.models.made_run import make_run
from tests.patience import wait_until

READ_FILES = (
    "recipe.json",
    "result.json",
    "history.jsonl",
    "predictions.csv",
    "filters.json",
    "environment.json",
)
CASES = [
    pytest.param(name, *kind.values, id=f"{name} {kind.id}", marks=kind.marks)
    for name in READ_FILES
    for kind in params()
]

RUNS = {case.values: f"r{place:03}" for place, case in enumerate(CASES)}
"""The run that is broken in each way."""


def copied(whole: RunFolder, runs: Path, name: str) -> RunFolder:
    return RunFolder(Path(shutil.copytree(whole.path, runs / name)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = make_run(tmp_path_factory.mktemp("made"))
    draw(folder, ["confusion"])
    folder.environment_file.write_text("{}")
    return folder


@pytest.fixture(scope="module")
def lab(
    whole: RunFolder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Sheetrack, httpx.Client]]:
    """A backend that starts on a home with a run broken in each way, and one whole run."""
    home = Home(tmp_path_factory.mktemp("home"))
    home.settings_file.write_text("run_tabs = 200\n")
    home.runs.mkdir()
    copied(whole, home.runs, "whole")
    for case in CASES:
        name, breakage = case.values
        assert isinstance(name, str)
        assert callable(breakage)
        folder = copied(whole, home.runs, RUNS[name, breakage])
        breakage(folder.path / name)
    sheetrack = Sheetrack(home)
    with serving(sheetrack, 0) as address:
        base, token = address.split("/?token=")
        with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
            runs = {f"Run {run}" for run in ("whole", *RUNS.values())}
            wait_until(lambda: runs <= {name for name, _ in sheetrack.workbook.tabs()}, "a tab of each run")
            yield sheetrack, client
    sheetrack.close()


def section(api: httpx.Client, tab: str, title: str) -> Section:
    table = api.get(f"/api/tables/{tab}").json()["table"]
    found = next(part for part in table["sections"] if part["title"] == title)
    return Section.model_validate(found)


@pytest.mark.parametrize(("name", "breakage"), CASES)
def test_a_broken_file_is_named_in_results_on_the_tab_and_over_http(
    lab: tuple[Sheetrack, httpx.Client], name: str, breakage: Callable[[Path], None]
) -> None:
    _, api = lab
    run = RUNS[name, breakage]
    answer = api.get(f"/api/runs/{run}").json()
    assert [each["file"] for each in answer["broken"]] == [name]
    reason = answer["broken"][0]["reason"]
    assert reason
    assert (answer["result"] is None) == (name == "result.json")
    assert answer["figures"] == ["confusion"]
    assert section(api, f"Run {run}", "Broken files").rows == ((Text(text=name, tone="bad"), reason),)
    row = next(
        row for row in section(api, "Results", "").rows if isinstance(row[0], Text) and row[0].text == run
    )
    assert row[0] == Text(text=run, tone="bad", note=f"broken: {name}: {reason}", tab=f"Run {run}")
    listed = {each["run"]: each["broken"] for each in api.get("/api/runs").json()["broken"]}
    assert listed.get(run) == (answer["broken"] if name == "result.json" else None)


def test_everything_else_works(lab: tuple[Sheetrack, httpx.Client]) -> None:
    sheetrack, api = lab
    assert api.get("/api/runs/whole").json()["broken"] == []
    row = next(
        row for row in section(api, "Results", "").rows if isinstance(row[0], Text) and row[0].text == "whole"
    )
    assert row[0] == Text(text="whole", tab="Run whole")
    titles = [part["title"] for part in api.get("/api/tables/Run whole").json()["table"]["sections"]]
    assert "Broken files" not in titles
    assert "Confusion matrix" in titles
    readable = {RUNS[case.values] for case in CASES if case.values[0] != "result.json"}
    assert {"whole", *readable} <= {result.run for result in sheetrack.jobs.results()}
    assert api.get("/api/jobs").status_code == api.get("/api/servers").status_code == 200


def test_a_result_that_cannot_be_read_is_told_once_and_read_when_it_is_restored(
    home: Home, whole: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    home.runs.mkdir(parents=True)
    run = copied(whole, home.runs, "r1")
    content = run.result_file.read_bytes()
    run.result_file.write_bytes(b"{")
    sheetrack = Sheetrack(home)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert sheetrack.results.collect() == []
    [told] = caplog.records
    assert told.message == (
        "result.json of run r1 cannot be read (Invalid JSON: EOF while parsing an object at line 1 column 1): "
        "restore the file, or train the recipe again"
    )
    assert sheetrack.results.fault("r1").startswith(f"{run.result_file} cannot be read: Invalid JSON")
    [broken] = sheetrack.results.broken()
    assert (broken.run, broken.recipe) == ("r1", read_recipe(run))
    table, _ = sheetrack.workbook.table("Run r1")
    assert [part.title for part in table.sections] == ["Run r1", "Broken files"]
    run.result_file.write_bytes(content)
    assert [result.run for result in sheetrack.results.collect()] == ["r1"]
    assert sheetrack.results.broken() == []
    assert sheetrack.results.fault("r1") == ""
    assert sheetrack.workbook.read("Results")[1][0] == "r1"
    sheetrack.close()


def test_a_broken_run_that_is_removed_goes_from_the_sheet(home: Home, whole: RunFolder) -> None:
    home.runs.mkdir(parents=True)
    run = copied(whole, home.runs, "r1")
    run.result_file.write_bytes(b"{")
    sheetrack = Sheetrack(home)
    sheetrack.results.collect()
    assert "Run r1" in [name for name, _ in sheetrack.workbook.tabs()]
    shutil.rmtree(run.path)
    sheetrack.results.collect()
    assert "Run r1" not in [name for name, _ in sheetrack.workbook.tabs()]
    sheetrack.close()


def test_a_job_whose_result_cannot_be_read_has_failed_with_the_reason(home: Home, whole: RunFolder) -> None:
    home.runs.mkdir(parents=True)
    run = copied(whole, home.runs, "r1")
    run.result_file.write_text(
        json.dumps(json.loads(run.result_file.read_text()) | {"confusion_matrix": [[1]]})
    )
    sheetrack = Sheetrack(home)
    server = next(iter(sheetrack.servers))
    job = examples.job("r1", server=server, state=JobState.RUNNING, handle="999999999")
    sheetrack.jobs.add_job(job)
    sheetrack.queue.advance()
    ended = sheetrack.jobs.job("r1")
    assert ended.state is JobState.FAILED
    assert ended.reason.startswith(f"{run.result_file} cannot be read: ")
    assert "one row and one column for each of 16 words" in ended.reason
    [broken] = sheetrack.results.broken()
    assert (broken.server, broken.requested_by) == (server, job.requested_by)
    sheetrack.close()


def test_a_stored_result_that_cannot_be_read_is_read_from_its_folder_again(
    home: Home, whole: RunFolder
) -> None:
    home.runs.mkdir(parents=True)
    copied(whole, home.runs, "r1")
    sheetrack = Sheetrack(home)
    sheetrack.results.collect()
    [stored] = sheetrack.jobs.results()
    with sheetrack.database.begin() as connection:
        connection.execute(sa.text('UPDATE results SET content = \'{"run": "r1"}\''))
    sheetrack.close()
    again = Sheetrack(home)
    assert again.jobs.results() == []
    again.results.collect()
    assert again.jobs.results() == [stored]
    again.close()


def test_a_folder_that_can_be_no_run_is_no_run(home: Home, whole: RunFolder) -> None:
    home.runs.mkdir(parents=True)
    for name in ("a copy of r1", ".hidden", "x" * 65):
        copied(whole, home.runs, name)
    (home.runs / "notes.txt").write_text("hello")
    sheetrack = Sheetrack(home)
    assert sheetrack.results.collect() == []
    assert sheetrack.results.broken() == []
    sheetrack.close()
