"""A finished run made of seeded numbers, in the shape that training leaves behind."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.recipe import WORDS, Recipe
from models.run_folder import RunFolder
from tests.models.raw_files import recipe_of


@dataclass(frozen=True)
class Shape:
    """The convolutions of a network: channels, taps, pools, and whether signals are padded to keep their length."""

    channels: tuple[int, ...]
    taps: int
    pools: tuple[int, ...]
    padded: bool = True


SHAPES = {
    "ch32": Shape((32,) * 4 + (64,) * 4, 5, (3,) * 7 + (1,)),
    "ch128": Shape((128,) * 4 + (256,) * 4 + (512,), 5, (3,) * 8 + (1,)),
    "vgg": Shape((64,) * 8 + (128,) * 8, 3, (1, 3) * 7 + (1, 1)),
    "base": Shape((8, 16, 32, 64, 128), 25, (4,) * 5, padded=False),
}


def make_run(
    runs: Path, architecture: str = "ch32", seed: int = 0, epochs: int = 12, **recipe: object
) -> RunFolder:
    random = np.random.default_rng(seed)
    folder = RunFolder.create(
        runs, Recipe.model_validate({"architecture": architecture, "data": "sounds", **recipe})
    )
    labels, predictions, frames = _predictions(random, clips=900)
    with folder.predictions_file.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["clip", "frames", "label", "prediction", "confidence"])
        for number, (label, prediction, n) in enumerate(zip(labels, predictions, frames, strict=True)):
            table.writerow(
                [f"{WORDS[label]}/{number:04d}_nohash_0.wav", n, WORDS[label], WORDS[prediction], 0.9]
            )
    full = frames == 16000
    folder.history_file.write_text(
        "".join(json.dumps(line) + "\n" for line in _history(random, epochs)), encoding="utf-8"
    )
    np.savez(folder.analysis_file, allow_pickle=False, **_analysis(random, SHAPES[architecture]))
    folder.result_file.write_text(
        json.dumps(
            {
                "run": folder.id,
                "words": WORDS,
                "test_accuracy": float((labels == predictions).mean()),
                "test_accuracy_full_length": float((labels == predictions)[full].mean()),
                "test_clips": len(labels),
                "test_clips_full_length": int(full.sum()),
                "confusion_matrix": _matrix(labels, predictions),
                "confusion_matrix_full_length": _matrix(labels[full], predictions[full]),
                "validation_accuracy": 0.93,
                "best_epoch": epochs,
                "parameters": 94768,
                "mflop_per_clip": 20.0,
                "epochs": epochs,
                "seconds": 60.0,
                "clips_per_second": 200.0,
                "data": {"name": "sounds", "hash": "abc", "synthetic": True, "clips": {"test": len(labels)}},
                "recipe": recipe_of(folder).model_dump(mode="json"),
                "finished_at": "2026-03-04T12:13:00Z",
            }
        ),
        encoding="utf-8",
    )
    return folder


def _predictions(random: np.random.Generator, clips: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # The clips are those of the data set, the same for every seed; the predictions differ.
    labels = np.arange(clips) % len(WORDS)
    three, tree = WORDS.index("three"), WORDS.index("tree")
    predictions = np.where(random.random(clips) < 0.06, random.integers(len(WORDS), size=clips), labels)
    predictions = np.where((labels == tree) & (random.random(clips) < 0.2), three, predictions)
    return labels, predictions, np.where(np.arange(clips) % 11 == 0, 14000, 16000)


def _matrix(labels: np.ndarray, predictions: np.ndarray) -> list[list[int]]:
    matrix = np.zeros((len(WORDS), len(WORDS)), dtype=int)
    np.add.at(matrix, (labels, predictions), 1)
    return matrix.tolist()


def _history(random: np.random.Generator, epochs: int) -> list[dict[str, float]]:
    lines = []
    for epoch in range(1, epochs + 1):
        loss = 2.6 * float(np.exp(-epoch / 3)) + 0.1
        accuracy = 1 - loss / 3
        lines.append(
            {
                "epoch": epoch,
                "loss": loss,
                "train_accuracy": accuracy,
                "validation_loss": loss + 0.1 + 0.03 * float(random.random()),
                "validation_accuracy": accuracy - 0.02,
                "learning_rate": 1e-3 * float(np.sin(np.pi * epoch / (epochs + 1))),
                "seconds": 5.0,
                "clips_per_second": 200.0,
            }
        )
    return lines


def _analysis(random: np.random.Generator, shape: Shape) -> dict[str, np.ndarray]:
    lowest, highest = 2595 * np.log10(1 + np.array([50, 7900]) / 700)
    mels = np.linspace(lowest, highest, 64)
    tones = (700 * (10 ** (mels / 2595) - 1)).astype(np.float32)
    time = np.arange(16000) / 16000
    arrays: dict[str, np.ndarray] = {
        "words": np.array(WORDS),
        "tones_hz": tones,
        "clip_name": np.array("tree/0014_nohash_$0$.wav"),
        "clip_label": np.array("tree"),
        "clip_prediction": np.array("three"),
        "clip_waveform": (np.sin(2 * np.pi * (200 + 900 * time) * time) * np.hanning(16000)).astype(
            np.float32
        ),
    }
    rate, length, width = 16000.0, 16000, 1
    for number, (channels, pool) in enumerate(zip(shape.channels, shape.pools, strict=True), start=1):
        if number <= 2:
            arrays[f"conv{number}_weights"] = random.normal(
                size=(channels, width, shape.taps), scale=width**-0.5
            ).astype(np.float32)
        centre = random.uniform(0, mels[-1], size=(channels, 1))
        bumps = 0.1 * np.exp(-(((mels - centre) / 300) ** 2))
        bumps[channels // 2] = 0  # a channel that never answers
        arrays[f"conv{number}_rate_hz"] = np.array(rate)
        arrays[f"conv{number}_response"] = bumps.astype(np.float32)
        length = length // pool if shape.padded else -(-(length - shape.taps + 1) // pool)
        arrays[f"conv{number}_map"] = np.abs(random.normal(size=(channels, length))).astype(np.float16)
        rate, width = rate / pool, channels
    return arrays
