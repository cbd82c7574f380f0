"""A finished run put to use: tested on other data, asked about files, written as ONNX."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile
import torch
from torch import nn

from models.architectures import build
from models.data.errors import DataError
from models.recipe import Recipe
from models.result import RunResult
from models.run_folder import RunFolder
from models.run_reader import read_evaluations, read_result
from models.training.errors import TrainingError
from models.training.onnx_file import write
from models.training.trained import Trained, evaluate_on, hear, load
from tests.models.training_here import train_here
from tests.speech import write_words

RATE_HZ = 8000
RECIPE: dict[str, Any] = {
    "architecture": "ch32", "depth": 3, "epochs": 4, "batch_size": 4, "dropout": 0.0, "learning_rate": 0.003,
    "augmentation": "none", "sample_rate": RATE_HZ, "seconds": 0.5,
}  # fmt: skip


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_words(tmp_path_factory.mktemp("words") / "words")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, words: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path_factory.mktemp("runs"), Recipe(data=str(words), **RECIPE))
    train_here(folder)
    return folder


@pytest.fixture(scope="module")
def trained(run: RunFolder) -> Trained:
    return load(run)


def result_of(run: RunFolder) -> RunResult:
    result = read_result(run)
    assert result
    return result


def test_its_own_data_gives_the_result_again(run: RunFolder, words: Path) -> None:
    result = result_of(run)
    # Half a second of a second: two windows vote.
    assert (result.recipe.samples, result.test_clips) == (4000, 9)
    evaluation = evaluate_on(run, str(words))
    assert evaluation.confusion_matrix == result.confusion_matrix
    assert evaluation.accuracy == result.test_accuracy
    assert evaluation.data.hash == result.data.hash


def test_every_clip_of_other_data_counts_and_unknown_words_are_named(run: RunFolder, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for word, pitch in (("one", 6000), ("zebra", 300)):
        (other / word).mkdir(parents=True)
        for number in range(2):
            tone = 0.3 * np.sin(2 * np.pi * pitch * np.arange(16000) / 16000)
            soundfile.write(other / word / f"{number}.flac", tone, 16000)
    (other / "cat").mkdir()
    (other / "cat" / "broken.wav").write_bytes(b"no sound")
    evaluation = evaluate_on(run, str(other))
    assert evaluation.clips == 2
    assert [sum(row) for row in evaluation.confusion_matrix] == [0, 0, 2]
    assert evaluation.accuracy == evaluation.confusion_matrix[2][2] / 2
    notices = " ".join(evaluation.data.notices)
    assert "left out: zebra" in notices
    assert "cat/broken.wav" in notices
    evaluate_on(run, str(other))
    kept = [each for each in read_evaluations(run) if each.data.name == "other"]
    assert [each.accuracy for each in kept] == [evaluation.accuracy]
    with pytest.raises(DataError, match="for a word that the network knows: bed, cat, one"):
        evaluate_on(run, str(tmp_path))


def test_a_recording_is_heard_with_probabilities_and_a_broken_one_named(
    trained: Trained, words: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.mp3").touch()
    clip = words / "bed" / "testing01_nohash_0.wav"
    heard, *broken = hear(trained, [clip, tmp_path / "empty.mp3", tmp_path / "gone.wav", tmp_path])
    assert [each.error for each in broken] == ["empty", "no such file or directory", "is a directory"]
    assert heard.seconds == 1
    assert heard.probabilities.keys() == set(trained.result.words)
    assert list(heard.probabilities.values()) == sorted(heard.probabilities.values(), reverse=True)
    assert sum(heard.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert max(heard.waveform) == pytest.approx(0.3, abs=0.1)


def test_the_onnx_file_computes_the_same_and_names_words_and_rate(trained: Trained, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    write(trained, file)
    facts = {each.key: each.value for each in onnx.load(file).metadata_props}
    assert json.loads(facts["words"]) == ["bed", "cat", "one"]
    assert (facts["sample_rate"], facts["seconds"], facts["run"]) == ("8000", "0.5", trained.result.run)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        clips = 0.2 * torch.randn(batch, 4000)
        with torch.inference_mode():
            expected = trained.network(clips).numpy()
        [scores] = session.run(["scores"], {"clips": clips.numpy()})
        np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-4)
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("name", ["sep96", "bc64"])
def test_the_onnx_file_of_other_families_takes_any_number_of_clips(
    trained: Trained, tmp_path: Path, name: str
) -> None:
    network = build(name, 3, 2, 0.0, batch_norm=True, samples=4000).eval()
    write(trained._replace(network=network), tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        clips = 0.2 * torch.randn(batch, 4000)
        with torch.inference_mode():
            expected = network(clips).numpy()
        [scores] = session.run(["scores"], {"clips": clips.numpy()})
        np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-4)


class FixedBatch(nn.Module):
    """Asks for the number of clips in a way that the exporter takes for a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4000, 3)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.layer(clips.reshape(len(clips), 4000))
        return scores


def test_an_onnx_file_for_one_number_of_clips_is_not_written(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"take the number from clips.shape\[0\]"):
        write(trained._replace(network=FixedBatch()), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_used_says_why(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no run folder"):
        load(RunFolder(tmp_path))
    other = RunFolder.create(tmp_path, Recipe(data="-"))
    with pytest.raises(TrainingError, match="is not finished"):
        load(other)
    other.recipe_file.write_bytes(run.recipe_file.read_bytes())
    other.result_file.write_bytes(run.result_file.read_bytes())
    with pytest.raises(TrainingError, match="checkpoints stay on the server"):
        load(other)


def test_weights_of_another_release_are_refused_in_a_sentence(run: RunFolder, tmp_path: Path) -> None:
    older = RunFolder(Path(shutil.copytree(run.path, tmp_path / run.id)))
    checkpoint = torch.load(older.checkpoint_file, weights_only=True)
    for weights in (checkpoint["network"], checkpoint["best_network"]):
        weights["an.older.name"] = weights.popitem()[1]
    torch.save(checkpoint, older.checkpoint_file)
    with pytest.raises(TrainingError, match="does not fit the network of run"):
        load(older)
    older.result_file.unlink()
    with pytest.raises(TrainingError, match="does not fit the network of run"):
        train_here(older)
