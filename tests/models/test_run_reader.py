"""Every file of a run, whole and broken in every way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.figures import draw
from models.figures.facts import Facts
from models.result import RunContent
from models.run_folder import RunFolder
from models.run_reader import (
    BrokenRunError,
    read_environment,
    read_filters,
    read_history,
    read_predictions,
    read_progress,
    read_recipe,
    read_result,
    read_run,
)
from tests.models.breakage import params
from tests.models.made_run import make_run
from tests.models.raw_files import raw_history, raw_result

READERS: dict[str, Callable[[RunFolder], object]] = {
    "recipe.json": read_recipe,
    "result.json": read_result,
    "history.jsonl": read_history,
    "predictions.csv": read_predictions,
    "filters.json": read_filters,
    "progress.json": read_progress,
    "environment.json": read_environment,
}
FIELDS = {
    "recipe.json": "recipe",
    "result.json": "result",
    "history.jsonl": "history",
    "predictions.csv": "predictions",
    "filters.json": "filters",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = make_run(tmp_path_factory.mktemp("runs"))
    draw(folder, ["confusion", "learning_curve"])
    folder.progress_file.write_text('{"phase": "testing", "epoch": 12, "epochs": 12, "fraction": 1}')
    folder.environment_file.write_text('{"started_at": "2026-03-04T12:00:00Z"}')
    for weights in (folder.checkpoint_file, folder.start_file):
        weights.write_bytes(b"PK\x03\x04 and so on")
    return folder


@pytest.fixture
def run(whole: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the whole run that a test may break."""
    folder = RunFolder(tmp_path / whole.id)
    for file in whole.path.rglob("*"):
        if file.is_file():
            copy = folder.path / file.relative_to(whole.path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    return folder


def test_a_whole_run_is_read_whole(run: RunFolder) -> None:
    content = read_run(run)
    assert content.broken == []
    assert content.recipe == read_recipe(run)
    assert content.result == read_result(run)
    assert content.result
    assert len(content.history) == content.result.epochs == 12
    assert len(content.predictions) == content.result.test_clips == 900
    assert len(content.filters) == 32
    assert sorted(content.figures) == ["confusion", "learning_curve"]
    assert read_progress(run).epochs == 12


def test_what_does_not_exist_yet_is_not_broken(tmp_path: Path) -> None:
    nothing = RunContent(None, None, [], [], [], [], [])
    assert read_run(RunFolder(tmp_path)) == read_run(RunFolder(tmp_path / "nowhere")) == nothing
    assert read_progress(RunFolder(tmp_path)).epoch is None


@pytest.mark.parametrize("breakage", params())
@pytest.mark.parametrize("name", [name for name in READERS if name != "history.jsonl"])
def test_a_broken_file_is_one_sentence_with_its_name_and_the_reason(
    run: RunFolder, name: str, breakage: Callable[[Path], None]
) -> None:
    breakage(run.path / name)
    with pytest.raises(BrokenRunError, match=rf"^{name} of run {run.id} cannot be read \(.+\): ") as error:
        READERS[name](run)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("breakage", params())
@pytest.mark.parametrize("name", [*FIELDS, "environment.json"])
def test_a_broken_file_costs_only_itself(run: RunFolder, name: str, breakage: Callable[[Path], None]) -> None:
    before = read_run(run)
    breakage(run.path / name)
    content = read_run(run)
    assert [each.file for each in content.broken] == [name]
    assert content.broken[0].reason
    for file, field in FIELDS.items():
        if file != name:
            assert getattr(content, field) == getattr(before, field)


@pytest.mark.parametrize("breakage", params(but=("cut off", "huge")))
@pytest.mark.parametrize("name", ["analysis.npz", "checkpoint.pt", "start.pt", "figures/confusion.png"])
def test_a_file_that_only_others_read_is_looked_at(
    run: RunFolder, name: str, breakage: Callable[[Path], None]
) -> None:
    before = read_run(run)
    breakage(run.path / name)
    content = read_run(run)
    assert [each.file for each in content.broken] == [name]
    assert set(before.figures) - set(content.figures) == ({"confusion"} if "figures" in name else set())


def rewritten(run: RunFolder, **changes: Any) -> RunFolder:
    run.result_file.write_text(json.dumps(raw_result(run) | changes))
    return run


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"confusion_matrix": [[1, 2], [3, 4]]}, "one row and one column for each of 16 words"),
        ({"confusion_matrix": []}, "one row and one column"),
        ({"confusion_matrix": [[0] * 16] * 15 + [[0] * 15]}, "one row and one column"),
        ({"confusion_matrix_full_length": [[1]]}, "one row and one column"),
        ({"confusion_matrix": [[-1] * 16] * 16}, "confusion_matrix.0.0: "),
        ({"confusion_matrix": [[0.5] * 16] * 16}, "confusion_matrix.0.0: "),
        ({"confusion_matrix": [["1"] * 16] * 16}, "confusion_matrix.0.0: "),
        ({"confusion_matrix": [[True] * 16] * 16}, "confusion_matrix.0.0: "),
        ({"confusion_matrix": [[10**30] * 16] * 16}, "confusion_matrix.0.0: "),
        ({"confusion_matrix": 3}, "confusion_matrix: "),
        ({"test_accuracy": float("nan")}, "test_accuracy: "),
        ({"test_accuracy": float("inf")}, "test_accuracy: "),
        ({"test_accuracy": 1.5}, "test_accuracy: "),
        ({"test_accuracy": "0.9"}, "test_accuracy: "),
        ({"test_accuracy": None}, "test_accuracy: "),
        ({"seconds": float("-inf")}, "seconds: "),
        ({"clips_per_second": float("nan")}, "clips_per_second: "),
        ({"test_clips": 900.5}, "test_clips: "),
        ({"parameters": -1}, "parameters: "),
        ({"words": "zero"}, "words: "),
        ({"words": ["zero"] * 16}, "a word twice"),
        ({"words": []}, "words: "),
        ({"data": {"name": "x", "hash": "y", "synthetic": "no"}}, "data.synthetic: "),
        ({"data": {"name": "x" * 2000, "hash": "y", "synthetic": False}}, "data.name: "),
        ({"recipe": {}}, "recipe.data: "),
        ({"finished_at": 1_700_000_000}, "finished_at: "),
        ({"finished_at": "2026-03-04T12:00:00"}, "finished_at: "),
        ({"finished_at": "0001-01-01T00:00:00+14:00"}, "the year 1 is not possible"),
    ],
)
def test_a_result_that_makes_no_sense_is_refused(
    run: RunFolder, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BrokenRunError) as error:
        read_result(rewritten(run, **changes))
    assert reason in error.value.broken.reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"epoch": 3, "loss": NaN}', "line 3: loss: "),
        ('{"epoch": 3, "loss": "low"}', "line 3: loss: "),
        ('{"epoch": 3, "train_accuracy": 2}', "line 3: train_accuracy: "),
        ('{"epoch": 7}', "line 3: epoch 7 is not the next one"),
        ('{"epoch": "three"}', "line 3: epoch: "),
        ("", "line 3: "),
        ("[]", "line 3: "),
    ],
)
def test_one_bad_line_of_the_history_is_named(run: RunFolder, line: str, reason: str) -> None:
    lines = run.history_file.read_text().splitlines()
    run.history_file.write_text("\n".join([*lines[:2], line, *lines[3:], ""]))
    with pytest.raises(BrokenRunError) as error:
        read_history(run)
    assert reason in error.value.broken.reason


def test_a_line_that_is_being_written_does_not_count(run: RunFolder) -> None:
    lines = run.history_file.read_text().splitlines(keepends=True)
    run.history_file.write_text("".join([*lines[:4], lines[4][:20]]))
    assert [entry.epoch for entry in read_history(run)] == [1, 2, 3, 4]
    assert read_run(run).broken[0].reason == "it has 4 of 12 epochs"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: [*rows[:5], rows[5][:8] + "\n"], "line 6: 1 columns instead of 5"),
        (lambda rows: [*rows[:5], rows[5].strip()], "cut off"),
        (lambda rows: [rows[0].replace("label", "labels"), *rows[1:]], "it has no column label"),
        (lambda rows: [*rows[:4], "a.wav,16000,one,two,nan\n"], "confidence: "),
        (lambda rows: [*rows[:4], "a.wav,16000,one,two,7\n"], "confidence: "),
        (lambda rows: [*rows[:4], "a.wav,many,one,two,0.5\n"], "frames: "),
        (lambda rows: [*rows[:4], '"a.wav,16000,one,two,0.5\n'], "unexpected end of data"),
        (lambda rows: rows[:301], "it has 300 of 900 test clips"),
    ],
)
def test_broken_predictions_are_named(
    run: RunFolder, change: Callable[[list[str]], list[str]], reason: str
) -> None:
    rows = run.predictions_file.read_text().splitlines(keepends=True)
    run.predictions_file.write_text("".join(change(rows)))
    [broken] = read_run(run).broken
    assert broken.file == "predictions.csv"
    assert reason in broken.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('[{"channel": 0, "centre_hz": null, "weights": [NaN]}]', "0.weights.0: "),
        ('[{"channel": 0, "centre_hz": 1, "weights": []}]', "0.weights: "),
        (
            '[{"channel": 0, "centre_hz": 1, "weights": [1]}, {"channel": 1, "centre_hz": 1, "weights": [1, 2]}]',
            "different lengths",
        ),
        ("{}", "valid array"),
    ],
)
def test_broken_filters_are_named(run: RunFolder, content: str, reason: str) -> None:
    run.filters_file.write_text(content)
    with pytest.raises(BrokenRunError) as error:
        read_filters(run)
    assert reason in error.value.broken.reason


def test_a_run_of_an_earlier_release_can_be_read(run: RunFolder) -> None:
    new, content = Facts.read(run), read_run(run)
    rows = run.predictions_file.read_text()
    old = rows.replace("clip,frames,label,prediction,confidence", "clip,frames,actual,heard,probability")
    assert old != rows
    run.predictions_file.write_text(old)
    with np.load(run.analysis_file) as arrays:
        names = {"clip_label": "clip_actual", "clip_prediction": "clip_heard"}
        np.savez(run.analysis_file, **{names.get(key, key): arrays[key] for key in arrays.files})
    rewritten(run, whose="a field that this release does not know")
    assert read_run(run) == content
    facts = Facts.read(run)
    assert facts.analysis
    assert new.analysis
    assert (facts.analysis.clip.label, facts.analysis.clip.prediction) == ("tree", "three")
    assert raw_history(run)[0]["epoch"] == 1
