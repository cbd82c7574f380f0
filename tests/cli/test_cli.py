"""The command line as people type it: a process, its output, its exit code."""

import json
import zipfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from backend.cli import COMMANDS
from backend.cli.serve import _tell
from backend.jobs.architectures import measure
from backend.service import doctor
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models.recipe import Recipe
from models.run_folder import RunFolder
from tests.cli.command_line import complaint, data, run, run_here
from tests.speech import write_words


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, dict[str, Any]]:
    """A home with one run that was trained directly; the result that `train --json` printed."""
    folder = tmp_path_factory.mktemp("cli")
    home = Home(folder / "home")
    words = write_words(folder / "tones")
    name = '=HYPERLINK("x") <b>'
    answer = run_here(
        "train", "ch32", "--depth", "4", "--data", str(words), "--epochs", "2", "--name", name, "--json",
        SHEETRACK_HOME=str(home.path),
    )  # fmt: skip
    return home, data(answer)


@pytest.fixture(scope="module")
def pictured(trained: tuple[Home, dict[str, Any]]) -> tuple[Home, RunFolder, list[str]]:
    """The same home; its run, whose pictures were drawn from the folder; their names."""
    home, result = trained
    folder = RunFolder(home.runs / result["run"])
    assert not folder.drawn()
    assert run_here("figures", folder.id, SHEETRACK_HOME=str(home.path)).returncode == 0
    return home, folder, [file.name for file in folder.drawn()]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, home: Home) -> None:
    answer = run_here(command, "--help")
    assert answer.returncode == 0
    assert f"Usage: sheetrack {command} [OPTIONS]" in answer.stdout
    assert not home.path.exists()


def test_train_ends_with_the_content_of_its_result(trained: tuple[Home, dict[str, Any]]) -> None:
    home, result = trained
    assert result == json.loads(RunFolder(home.runs / result["run"]).result_file.read_text())
    assert result["test_clips"] == 9
    assert 0 <= result["test_accuracy_full_length"] <= 1
    assert sum(map(sum, result["confusion_matrix"])) == 9


def test_a_direct_training_has_its_row_among_the_results(trained: tuple[Home, dict[str, Any]]) -> None:
    home, result = trained
    rows = data(run_here("results", "--json", SHEETRACK_HOME=str(home.path)))
    assert [(row["run"], row["content"]["test_accuracy"]) for row in rows] == [
        (result["run"], result["test_accuracy"])
    ]
    shown = run_here("results", SHEETRACK_HOME=str(home.path)).stdout
    assert result["run"] in shown
    assert {'=HYPERLINK("x")', "<b>"} <= set(shown.split())


def test_the_leaderboard_is_there_for_programs(home: Home) -> None:
    best = data(run_here("leaderboard", "--json", "--limit", "1"))[0]
    assert (best["Source"], best["Parameters"]) == ("published", 2_071_184)


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:8000/?token=abc"])
def test_a_demonstration_names_what_can_be_opened(
    address: str,
    trained: tuple[Home, dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, result = trained
    monkeypatch.setattr("sys.argv", ["/clone/.venv/bin/sheetrack"])
    monkeypatch.setenv("PATH", "/nowhere")
    with closing(Sheetrack(home)) as sheetrack:
        _tell(sheetrack, result["run"], address)
    *_, page, again = capsys.readouterr().out.splitlines()
    assert page == (
        f"Page          {address}" if address else f"Workbook      {home.path}/demonstration.xlsx"
    )
    assert again == f"See it again  SHEETRACK_HOME={home.path} /clone/.venv/bin/sheetrack up"


# openpyxl warns that it does not know sparklines; the test reads them from the file.
@pytest.mark.filterwarnings("ignore:Sparkline Group extension")
def test_export_writes_tabs_with_colour_scales_sparklines_and_pictures(
    pictured: tuple[Home, RunFolder, list[str]], tmp_path: Path
) -> None:
    home, run, _ = pictured
    file = tmp_path / "lab.xlsx"
    assert run_here("export", str(file), SHEETRACK_HOME=str(home.path)).returncode == 0
    workbook = openpyxl.load_workbook(file)
    tab = f"Run {run.id}"
    assert {"Results", "Leaderboard", tab} <= set(workbook.sheetnames)
    assert "Curves" not in [sheet.title for sheet in workbook if sheet.sheet_state == "visible"]
    scales = [rule.type for rules in workbook[tab].conditional_formatting for rule in rules.rules]
    assert "colorScale" in scales
    assert len(workbook[tab]._images) == len(run.drawn()) > 1
    cells = [cell for row in workbook["Results"].iter_rows() for cell in row if cell.value is not None]
    assert all(cell.data_type != "f" for cell in cells)
    assert any("=HYPERLINK" in str(cell.value) for cell in cells)
    place = 1 + workbook.sheetnames.index(tab)
    with zipfile.ZipFile(file) as parts:
        assert b"sparklineGroup" in parts.read(f"xl/worksheets/sheet{place}.xml")


def test_pictures_are_drawn_from_the_folder(pictured: tuple[Home, RunFolder, list[str]]) -> None:
    _, _, names = pictured
    assert names == [
        "confusion.png", "confusion_normalised.png", "mistakes.png", "learning_curve.png", "filters_1.png",
        "filters_2.png", "responses_1.png", "responses.png", "feature_maps.png",
    ]  # fmt: skip


def test_a_chosen_clip_is_shown_on_its_way_through_the_network(
    pictured: tuple[Home, RunFolder, list[str]],
) -> None:
    home, folder, names = pictured
    before = folder.analysis_file.read_bytes()
    for file in folder.drawn():
        file.unlink()
    clip = "cat/training03_nohash_0.wav"
    assert run_here("figures", folder.id, "--clip", clip, SHEETRACK_HOME=str(home.path)).returncode == 0
    assert [file.name for file in folder.drawn()] == names
    with np.load(folder.analysis_file) as analysis:
        assert (str(analysis["clip_name"]), str(analysis["clip_label"])) == (clip, "cat")
    answer = run_here("figures", folder.id, "--clip", "cat/none.wav", SHEETRACK_HOME=str(home.path))
    assert "has no clip 'cat/none.wav'" in complaint(answer, 1)
    folder.analysis_file.write_bytes(before)


def test_launch_queues_and_cancel_ends(home: Home, tmp_path: Path) -> None:
    words = write_words(tmp_path / "tones")
    server = data(run_here("status", "--json"))[0]["name"]
    job = data(run_here("launch", "ch32", "--server", server, "--data", str(words), "--json"))
    assert (job["state"], job["recipe"]["depth"]) == ("queued", 8)
    assert job["id"] in run_here("jobs").stdout
    assert data(run_here("cancel", job["id"], "--json"))["state"] == "cancelled"
    assert [entry["state"] for entry in data(run_here("jobs", "--json"))] == ["cancelled"]
    assert data(run_here("cancel", job["id"], "--json"))["state"] == "cancelled"


def test_status_tells_of_this_machine(home: Home) -> None:
    server = data(run("status", "--json"))[0]
    assert server["snapshot"]["host"]["cpu_count"] >= 1
    assert server["snapshot"]["host"]["cpu_percent"] is not None
    assert server["verdict"]["state"] in ("idle", "busy", "full", "overloaded")


def test_maintenance_begins_and_ends(home: Home) -> None:
    server = data(run_here("status", "--json"))[0]["name"]
    begun = run_here("maintenance", server, "new fans", "--until", "2099-01-01")
    assert begun.returncode == 0
    assert begun.stdout.startswith(f"{server} is in maintenance: new fans (")
    verdict = data(run_here("status", "--json"))[0]["verdict"]
    assert (verdict["state"], verdict["reason"]) == ("maintenance", begun.stdout.split(": ", 1)[1].strip())
    assert run_here("maintenance", server, "--end").stdout == f"The maintenance of {server} has ended.\n"
    assert run_here("maintenance", server, "--end").returncode == 0  # what is so already is no mistake
    assert "Give a reason" in complaint(run_here("maintenance", server), 2)
    assert "takes no reason" in complaint(run_here("maintenance", server, "why", "--end"), 2)
    assert "'soon' is not like 18:00" in complaint(
        run_here("maintenance", server, "why", "--until", "soon"), 2
    )


def test_architectures_lists_the_published_counts(home: Home) -> None:
    known = data(run_here("architectures", "--json"))
    exact = {entry["parameters"] for entry in known if entry["published_parameters"] == entry["parameters"]}
    assert exact == {1_855_056, 94_768, 363_600, 470_736, 2_071_184}


def test_doctor_finds_what_is_wrong_and_says_what_to_do(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "measure", cache(measure))  # which takes seconds
    assert run_here("doctor").returncode == 0
    home.settings_file.write_text("refresh_seconds = 'soon'")
    answer = run_here("doctor", "--json")
    assert answer.returncode == 1
    wrong = [finding for finding in json.loads(answer.stdout) if not finding["ok"]]
    assert [finding["what"] for finding in wrong] == ["Settings"]
    assert "refresh_seconds" in wrong[0]["found"]
    assert wrong[0]["advice"]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["train"], 2, "Give the network"),
        (["train", "ch32", "--data", ".", "--dropout", "1.5"], 2, "dropout"),
        (["train", "ch32", "--data", ".", "--dropout", "nan"], 2, "dropout"),
        (["train", "ch32", "--data", ".", "--epochs", "-1"], 2, "epochs"),
        (["train", "ch32", "--data", ".", "--depth", "0"], 2, "depth"),
        (["train", "lstm", "--data", "."], 1, "no architecture 'lstm'"),
        (["train", "ch32", "--data", "nowhere"], 1, "no data folder 'nowhere'"),
        (["train", "--resume", "r0"], 1, "no run 'r0'"),
        (["train", "--resume", "r0", "--dropout", "0.5"], 2, "leave out --dropout"),
        (["record", "--name", "x", "--metric", "accuracy=nan"], 2, "no finite number"),
        (["record", "--name", "x", "--metric", "a=1", "--metric", "a=2"], 2, "given twice"),
        (["launch", "ch32", "--server", "gpu99", "--data", "."], 1, "no server 'gpu99'"),
        (["cancel", "r0"], 1, "no job r0"),
        (["sweep", "ch32", "--pause", "--resume"], 2, "--pause and --resume contradict each other"),
        (["record", "--name", "x", "--metric", "accuracy=1e308"], 2, "no finite number below 1e+300"),
        (["figures", "r0"], 1, "no run 'r0'"),
        (["launch", "ch32", "--server", "here", "--data", ".", "--gpu-memory", "nan"], 2, "gpu_memory_gib"),
        (["sweep", "ch32", "--server", "here", "--depth", "9-1"], 2, "begins above its end"),
        (
            ["sweep", "ch32", "--server", "any", "--data", ".", "--depth", "200-300"],
            2,
            "depths.0: Input should be less than or equal to 99 (and 100 more like it).",
        ),
        (["sweep", "ch32", "--server", "here", "--depth", "x"], 2, "neither like 1-9"),
        (["export", "nowhere/lab.xlsx"], 1, "nowhere/lab.xlsx"),
        (["export", "lab.txt"], 1, "ends in .xlsx"),
        (["export", "/dev/full"], 1, "is no .xlsx file"),
        (["dance"], 2, "There is no command 'dance'."),
        (["stauts"], 2, "Did you mean status"),
        (["status", "--watch", "--json"], 2, "leave out --json"),
        (["export", "r0", "lab.xlsx"], 2, "sheetrack export RUN model.onnx"),
        (["export", "r0", "nowhere/model.onnx"], 1, "There is no folder"),
        (["export", "model.onnx"], 2, "sheetrack export RUN model.onnx"),
        (["evaluate", "r0", "--data", "."], 1, "no run 'r0'"),
        (["predict", "r0", "a.wav"], 1, "no run 'r0'"),
        (["up", "--port", "99999"], 2, "99999"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    words: list[str], code: int, sentence: str, home: Home
) -> None:
    said = complaint(run_here(*words), code)
    assert sentence in said
    assert said.splitlines()[-1].startswith("error: ")


def test_an_empty_folder_is_said_to_be_empty(home: Home, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = complaint(run_here("train", "ch32", "--data", str(tmp_path / "empty")), 1)
    assert "empty" in said
    assert not home.store_file.exists() or data(run_here("results", "--json")) == []


def test_a_stopped_run_is_resumed(home: Home, tmp_path: Path) -> None:
    words = write_words(tmp_path / "tones")
    recipe = Recipe(architecture="ch32", depth=4, epochs=1, data=str(words))
    folder = RunFolder.create(home.runs, recipe)
    assert data(run_here("train", "--resume", folder.id, "--json"))["run"] == folder.id
    assert [row["run"] for row in data(run_here("results", "--json"))] == [folder.id]
    assert "is finished, with 1 epoch." in complaint(run_here("train", "--resume", folder.id), 1)
    assert "is finished" in complaint(run_here("train", "--resume", folder.id, "--epochs", "1"), 1)
    further = data(run_here("train", "--resume", folder.id, "--epochs", "2", "--json"))
    assert further["run"] != folder.id
    assert (further["epochs"], further["recipe"]["parent"]) == (2, folder.id)
