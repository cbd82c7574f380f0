"""Trainings as they run on a server: real processes, real run folders."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.architectures import build
from models.process import command
from models.recipe import Recipe
from models.run_folder import RunFolder
from models.training import snapshots
from models.training.loop import epoch_seed
from tests.models.forked import Forked
from tests.models.raw_files import raw_history, raw_progress, raw_result, recipe_of
from tests.models.tone_words import write_tones
from tests.patience import PATIENCE_SECONDS

SMALL = {"architecture": "ch32", "depth": 3, "epochs": 4, "batch_size": 8, "dropout": 0.2}


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tones(tmp_path_factory.mktemp("tones") / "tones")


def new_run(runs: Path, data: Path, **changes: Any) -> RunFolder:
    return RunFolder.create(runs, Recipe(data=str(data), **{**SMALL, **changes}))


def train(folder: RunFolder, *options: str) -> "subprocess.CompletedProcess[str]":
    return Forked("train", folder.path, *options).ended()


def weights(folder: RunFolder) -> dict[str, Any]:
    checkpoint = torch.load(folder.checkpoint_file, weights_only=True)
    return {
        **checkpoint["network"],
        **{f"best {name}": value for name, value in checkpoint["best_network"].items()},
    }


def numbers(folder: RunFolder) -> list[dict[str, Any]]:
    """The history without what the clock decides."""
    timed = {"seconds", "clips_per_second"}
    return [
        {name: value for name, value in entry.items() if name not in timed} for entry in raw_history(folder)
    ]


def assert_same_training(one: RunFolder, other: RunFolder) -> None:
    assert numbers(one) == numbers(other)
    assert len(numbers(one)) == recipe_of(one).epochs
    for name, value in weights(one).items():
        assert torch.equal(value, weights(other)[name]), name
    for key in ("confusion_matrix", "test_accuracy", "best_epoch", "validation_accuracy"):
        assert raw_result(one)[key] == raw_result(other)[key]
    assert one.predictions_file.read_text() == other.predictions_file.read_text()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, tones: Path) -> RunFolder:
    """Trained as for people: by the command, with pictures."""
    folder = new_run(tmp_path_factory.mktemp("runs"), tones)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SHEETRACK_FIGURES", raising=False)
        done = train(folder)
    assert done.returncode == 0, done.stderr
    folder.log_file.write_text(done.stdout)
    return folder


def test_a_run_leaves_all_its_files(finished: RunFolder) -> None:
    files = {str(file.relative_to(finished.path)) for file in finished.path.rglob("*") if file.is_file()}
    assert {
        "recipe.json", "environment.json", "history.jsonl", "progress.json", "checkpoint.pt",
        "start.pt", "snapshots/epoch_1.pt", "snapshots/epoch_2.pt", "snapshots/epoch_4.pt", "predictions.csv", "analysis.npz", "result.json", "figures/confusion.png",
    } <= files  # fmt: skip
    assert not [file for file in files if "draft" in file]


def test_a_run_keeps_the_weights_that_it_started_from(finished: RunFolder) -> None:
    recipe = recipe_of(finished)
    torch.manual_seed(epoch_seed(recipe.seed, 0))
    fresh = build(recipe.architecture, 3, recipe.depth, recipe.dropout, recipe.batch_norm).state_dict()
    start = torch.load(finished.start_file, weights_only=True)
    assert start.keys() == fresh.keys()
    assert all(torch.equal(start[name], value) for name, value in fresh.items())
    kept = snapshots.read_all(finished)
    assert list(kept) == [1, 2, 4]
    assert not torch.equal(kept[4]["0.convolution.weight"], start["0.convolution.weight"])


def test_the_result_adds_up(finished: RunFolder) -> None:
    result = raw_result(finished)
    matrix = np.array(result["confusion_matrix"])
    full = np.array(result["confusion_matrix_full_length"])
    assert matrix.shape == full.shape == (3, 3)
    assert matrix.sum() == result["test_clips"] == 12
    assert full.sum() == result["test_clips_full_length"] == 9
    assert result["test_accuracy"] == matrix.trace() / matrix.sum()
    assert result["test_accuracy_full_length"] == full.trace() / full.sum()
    assert result["words"] == ["high", "low", "middle"]
    assert matrix.sum(axis=1).tolist() == [4, 4, 4]
    assert result["data"]["clips"] == {"training": 36, "validation": 12, "testing": 12}
    assert result["data"]["synthetic"] is True
    assert result["recipe"]["depth"] == 3
    assert result["run"] == finished.id
    assert result["started_at"] <= result["finished_at"]
    history = raw_history(finished)
    assert result["seconds"] == pytest.approx(sum(entry["seconds"] for entry in history))
    best = max(entry["validation_accuracy"] for entry in history)
    first_best = next(entry["epoch"] for entry in history if entry["validation_accuracy"] == best)
    assert (result["validation_accuracy"], result["best_epoch"]) == (best, first_best)


def test_the_predictions_are_those_of_the_matrix(finished: RunFolder) -> None:
    result = raw_result(finished)
    with finished.predictions_file.open() as lines:
        rows = list(csv.DictReader(lines))
    counted = np.zeros((3, 3), int)
    for row in rows:
        counted[result["words"].index(row["label"]), result["words"].index(row["prediction"])] += 1
        assert row["clip"].startswith(row["label"] + "/testing")
        assert int(row["frames"]) in {12000, 16000}
        assert 1 / 3 <= float(row["confidence"]) <= 1
    assert counted.tolist() == result["confusion_matrix"]


def test_the_network_learns_the_tones(tmp_path: Path, tones: Path) -> None:
    folder = new_run(tmp_path, tones, epochs=12, learning_rate=3e-3, seconds=0.5)
    assert train(folder).returncode == 0
    result = raw_result(folder)
    assert result["test_accuracy"] >= 0.9
    assert raw_history(folder)[-1]["validation_loss"] < raw_history(folder)[0]["validation_loss"]


def test_the_log_has_a_line_an_epoch_and_the_notices(finished: RunFolder) -> None:
    lines = finished.log_file.read_text().splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith("epoch")] == [
        f"epoch {n}/4" for n in range(1, 5)
    ]
    assert any("synthetic speech" in line for line in lines)
    assert lines[-1].endswith("on 12 clips")


def test_progress_ends_whole(finished: RunFolder) -> None:
    progress = raw_progress(finished)
    assert (progress["epoch"], progress["epochs"], progress["fraction"]) == (4, 4, 1.0)
    assert progress["phase"] == "drawing"
    assert progress["validation_accuracy"] == raw_history(finished)[-1]["validation_accuracy"]


def test_the_analysis_measures_every_layer(finished: RunFolder) -> None:
    with np.load(finished.analysis_file) as analysis:
        assert analysis["conv1_weights"].shape == (32, 1, 5)
        assert analysis["conv2_weights"].shape == (32, 32, 5)
        assert "conv3_weights" not in analysis
        best = torch.load(finished.checkpoint_file, weights_only=True)["best_network"]
        np.testing.assert_array_equal(
            analysis["conv1_weights"], best["0.convolution.weight"][:, :, 0].numpy()
        )
        tones_hz = analysis["tones_hz"]
        assert (tones_hz[0], tones_hz[-1], len(tones_hz)) == (pytest.approx(50), pytest.approx(7900), 128)
        rates = [float(analysis[f"conv{layer}_rate_hz"]) for layer in (1, 2, 3)]
        assert rates == pytest.approx([16000, 16000 / 3, 16000 / 9])
        for layer, time in ((1, 5333), (2, 1777), (3, 1777)):
            assert analysis[f"conv{layer}_response"].shape == (32, 128)
            assert analysis[f"conv{layer}_map"].shape == (32, time)
            assert analysis[f"conv{layer}_map"].dtype == np.float16
            assert (analysis[f"conv{layer}_response"] >= 0).all()
        with finished.predictions_file.open() as lines:
            rows = {row["clip"]: row for row in csv.DictReader(lines)}
        shown = rows[str(analysis["clip_name"])]
        right = [float(row["confidence"]) for row in rows.values() if row["label"] == row["prediction"]]
        assert shown["label"] == shown["prediction"] == analysis["clip_label"] == analysis["clip_prediction"]
        assert float(shown["confidence"]) == max(right)
        assert analysis["clip_waveform"].shape == (16000,)
        assert list(analysis["words"]) == ["high", "low", "middle"]


def test_a_response_is_that_of_the_layer_to_the_tone(finished: RunFolder) -> None:
    from models.architectures.ch import ch32

    network = ch32(3, 3, 0.2, batch_norm=True).eval()
    network.load_state_dict(torch.load(finished.checkpoint_file, weights_only=True)["best_network"])
    with np.load(finished.analysis_file) as analysis:
        hertz = analysis["tones_hz"][40]
        tone = 0.1 * torch.sin(2 * torch.pi * float(hertz) * torch.arange(16000) / 16000)
        with torch.inference_mode():
            output = network[1](network[0](tone[None, None, None]))
        np.testing.assert_allclose(
            analysis["conv2_response"][:, 40], output.mean(-1)[0, :, 0].numpy(), rtol=1e-3, atol=1e-5
        )


def test_the_same_recipe_gives_the_same_run_and_another_seed_another(
    tmp_path: Path, tones: Path, finished: RunFolder
) -> None:
    again, other = new_run(tmp_path, tones), new_run(tmp_path, tones, seed=1)
    assert train(again).returncode == train(other).returncode == 0
    assert_same_training(finished, again)
    assert numbers(other) != numbers(finished)


def interrupt(
    folder: RunFolder, number: signal.Signals, after_epochs: int
) -> "subprocess.CompletedProcess[str]":
    """Starts the training and sends the signal in the middle of the epoch after `after_epochs`."""
    process = Forked("train", folder.path)
    end = time.monotonic() + PATIENCE_SECONDS
    while len(raw_history(folder)) < after_epochs and process.is_running() and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(number)
    return process.ended()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_was_stopped_goes_on_to_the_same_numbers(
    tmp_path: Path, tones: Path, finished: RunFolder, number: signal.Signals, code: int
) -> None:
    broken = new_run(tmp_path, tones)
    stopped = interrupt(broken, number, after_epochs=1)
    assert stopped.returncode == code
    epochs = len(raw_history(broken))
    assert 1 <= epochs < 4
    assert stopped.stderr.splitlines()[-1] == (
        f"stopped after epoch {epochs}; go on with: sheetrack train --resume {broken.id}"
    )
    assert not broken.result_file.exists()
    assert broken.trainer_pid() is None
    assert train(broken).returncode == 0
    assert_same_training(finished, broken)


@pytest.mark.parametrize("architecture", ["ch32", "sep96", "bc64"])
def test_a_constant_learning_rate_and_strong_variation_go_on_to_the_same_numbers(
    tmp_path: Path, tones: Path, architecture: str
) -> None:
    choice = {"architecture": architecture, "schedule": "constant", "augmentation": "strong", "seconds": 0.5}
    unbroken, broken = new_run(tmp_path, tones, **choice), new_run(tmp_path, tones, **choice)
    assert train(unbroken).returncode == 0
    assert interrupt(broken, signal.SIGINT, after_epochs=1).returncode == 130
    assert train(broken).returncode == 0
    assert_same_training(unbroken, broken)
    assert {entry["learning_rate"] for entry in raw_history(broken)} == {1e-3}


def test_a_run_that_was_killed_goes_on_even_from_a_torn_line(
    tmp_path: Path, tones: Path, finished: RunFolder
) -> None:
    broken = new_run(tmp_path, tones)
    assert interrupt(broken, signal.SIGKILL, after_epochs=1).returncode == -signal.SIGKILL
    with broken.history_file.open("a") as history:
        history.write('{"epoch": 99, "lo')
    assert train(broken).returncode == 0
    assert_same_training(finished, broken)


def test_a_run_stopped_before_its_first_epoch_says_so(tmp_path: Path, tones: Path) -> None:
    folder = new_run(tmp_path, tones, epochs=50)
    process = Forked("train", folder.path)
    end = time.monotonic() + PATIENCE_SECONDS
    while not folder.progress_file.exists() and time.monotonic() < end:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    done = process.ended()
    assert done.returncode == 143
    assert done.stderr.startswith("stopped after epoch ")


def test_a_training_ends_at_its_time_limit_and_goes_on(
    tmp_path: Path, tones: Path, finished: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_run(tmp_path, tones)
    with monkeypatch.context() as patch:
        patch.setenv("SHEETRACK_HOURS", "0")
        at_once = train(folder)
    assert (at_once.returncode, raw_progress(folder)["phase"]) == (124, "timed out")
    assert "its time limit is over after epoch 0; go on with: sheetrack train --resume" in at_once.stderr
    interrupt(folder, signal.SIGTERM, after_epochs=1)
    epochs = len(raw_history(folder))
    with monkeypatch.context() as patch:
        patch.setenv("SHEETRACK_HOURS", "0")
        assert f"after epoch {epochs};" in train(folder).stderr
    assert not folder.result_file.exists()
    assert train(folder).returncode == 0
    assert_same_training(finished, folder)


def test_a_finished_run_is_left_as_it_is(finished: RunFolder) -> None:
    before = {file: file.read_bytes() for file in finished.path.iterdir() if file.is_file()}
    assert train(finished).returncode == 0
    assert {file: file.read_bytes() for file in finished.path.iterdir() if file.is_file()} == before


def test_two_processes_do_not_train_one_run(tmp_path: Path, tones: Path) -> None:
    folder = new_run(tmp_path, tones)
    with folder.lock():
        second = train(folder)
    assert second.returncode == 1
    assert second.stderr == f"error: run {folder.id} is already being trained\n"


def test_a_progress_bar_is_drawn_on_stderr(tmp_path: Path, tones: Path) -> None:
    done = train(new_run(tmp_path, tones, epochs=1), "--progress")
    assert done.returncode == 0
    assert "100%" in done.stderr
    assert "validation" in done.stderr
    assert done.stdout == ""


def test_a_reader_who_goes_away_does_not_stop_the_training(tmp_path: Path, tones: Path) -> None:
    folder = new_run(tmp_path, tones, epochs=2)
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    quiet = subprocess.DEVNULL
    words = command("train", str(folder.path))
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=quiet, env=buffered)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(PATIENCE_SECONDS) == 0
    assert folder.result_file.exists()


def test_fewer_clips_and_full_length_only_are_obeyed(tmp_path: Path, tones: Path) -> None:
    from models.data.clips import open_clips
    from models.data.speech_commands import read_folder
    from models.training.loop import training_clips

    clips = open_clips(read_folder(tones))
    full = training_clips(clips, Recipe(data="x", full_length_only=True))
    assert (clips.frames[full] == 16000).all()
    assert len(full) == 27
    few = training_clips(clips, Recipe(data="x", training_clips=10))
    assert len(set(few)) == 10
    assert few.tolist() == training_clips(clips, Recipe(data="x", training_clips=10)).tolist()
    assert few.tolist() != training_clips(clips, Recipe(data="x", training_clips=10, seed=1)).tolist()
    assert set(few) <= set(clips.of("training"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"architecture": "resnet"}, "error: there is no architecture 'resnet'; choose one of base,"),
        ({"depth": 12}, "error: ch32 has no depth 12; choose one of 1, 2"),
        ({"data": "/nowhere/at/all"}, "error: there is no data folder '/nowhere/at/all'"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(
    tmp_path: Path, tones: Path, changes: dict[str, Any], sentence: str
) -> None:
    recipe = Recipe(**{**SMALL, "data": str(tones), **changes})
    folder = RunFolder.create(tmp_path, recipe)
    done = train(folder)
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1
    assert not folder.result_file.exists()


def test_a_loss_that_is_no_number_stops_the_training(tmp_path: Path, tones: Path) -> None:
    folder = new_run(tmp_path, tones)
    assert interrupt(folder, signal.SIGINT, after_epochs=1).returncode == 130
    checkpoint = torch.load(folder.checkpoint_file, weights_only=True)
    checkpoint["network"]["0.convolution.weight"].fill_(torch.nan)
    torch.save(checkpoint, folder.checkpoint_file)
    done = train(folder)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: the loss is no longer a number in epoch {checkpoint['epoch'] + 1}; start a new run with a "
        "learning_rate below 0.001\n"
    )
    assert not folder.result_file.exists()


def test_a_folder_without_a_recipe_and_a_broken_recipe_are_one_sentence(tmp_path: Path, tones: Path) -> None:
    missing = RunFolder(tmp_path / "missing")
    assert train(missing).stderr == f"error: {missing.path} is no run folder: it has no recipe.json\n"
    broken = new_run(tmp_path, tones)
    for content, sentence in (
        ("{", "cannot be read (Invalid JSON"),
        (
            json.dumps({"data": str(tones), "dropout": 1.5}),
            "cannot be read (dropout: Input should be less than or equal",
        ),
    ):
        broken.recipe_file.write_text(content)
        done = train(broken)
        assert done.returncode == 1
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_stopped_run_goes_on_only_with_its_own_data_and_recipe(tmp_path: Path) -> None:
    data = write_tones(tmp_path / "tones")
    folder = new_run(tmp_path, data)
    assert interrupt(folder, signal.SIGINT, after_epochs=1).returncode == 130
    recipe = folder.recipe_file.read_text()
    folder.recipe_file.write_text(recipe.replace('"epochs": 4', '"epochs": 9'))
    assert "the recipe has changed since run" in train(folder).stderr
    folder.recipe_file.write_text(recipe)
    (data / "low" / "training00_nohash_0.wav").unlink()
    assert "the data has changed since run" in train(folder).stderr


def test_a_checkpoint_that_cannot_be_read_is_one_sentence(tmp_path: Path, tones: Path) -> None:
    folder = new_run(tmp_path, tones)
    folder.checkpoint_file.write_bytes(b"damaged")
    assert "checkpoint.pt cannot be read; delete it" in train(folder).stderr


def test_wrong_usage_is_2() -> None:
    wrong = subprocess.run(
        [sys.executable, "-m", "models", "train"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2
    assert "RUN_FOLDER" in wrong.stderr
