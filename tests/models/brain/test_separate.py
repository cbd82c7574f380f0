"""The acceptance figures of separate sounds at small size, on made-up features; `benchmarks/brain.py` has full size."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.brain.part import Part
from models.brain.scores import chosen_layers
from models.brain.separate import Separate

Floats = NDArray[np.floating]
SOUNDS, CHANNELS, LAYERS, TRUE = 165, 32, 4, 2


def made_layers(seed: int = 0) -> list[Floats]:
    """Like channels of a network: correlated, with a spectrum that falls off."""
    random = np.random.default_rng(seed)
    fall = np.arange(1, CHANNELS + 1) ** -0.7
    return [
        random.normal(size=(SOUNDS, CHANNELS)) * fall @ random.normal(size=(CHANNELS, CHANNELS))
        for _ in range(LAYERS)
    ]


def responses(layer: Floats, reliability: float, voxels: int, seed: int = 1) -> Floats:
    """Three repetitions that correlate with `reliability`."""
    random = np.random.default_rng(seed)
    standard = (layer - layer.mean(axis=0)) / layer.std(axis=0)
    signal = standard @ random.normal(size=(CHANNELS, voxels))
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    noise = random.normal(size=(SOUNDS, voxels, 3)) * np.sqrt((1 - reliability) / reliability)
    return np.asarray(signal[:, :, None] + noise)


def scored(layers: list[Floats], measured: Floats, *, shuffle: bool = False) -> list[Part]:
    separate = Separate(measured)
    return [separate.score(layer, number if shuffle else None) for number, layer in enumerate(layers)]


@pytest.mark.parametrize("reliability", [0.2, 0.5, 0.9])
def test_the_true_layer_explains_everything_that_can_be_explained(reliability: float) -> None:
    layer = made_layers()[TRUE]
    part = Separate(responses(layer, reliability, 100)).score(layer)
    assert np.median(part.value) == pytest.approx(1, abs=0.05)
    assert part.value.max() <= 1


def test_the_true_layer_is_chosen_at_snr_one_half() -> None:
    layers = made_layers()
    parts = scored(layers, responses(layers[TRUE], 1 / 3, 60))
    best, depth, value = chosen_layers(np.array([part.by_split for part in parts]))
    assert (best == TRUE).mean() >= 0.95
    assert np.median(depth) == pytest.approx(TRUE / (LAYERS - 1))
    assert np.median(value) > 0.85


def test_noise_is_predicted_by_nothing_and_its_best_layer_is_chance() -> None:
    noise = np.random.default_rng(5).normal(size=(SOUNDS, 400, 1))
    parts = scored(made_layers(), noise)
    for part in parts:
        assert part.r.mean() == pytest.approx(0, abs=0.01)
        assert (part.p < 0.05).mean() <= 0.05
    best, _, _ = chosen_layers(np.array([part.by_split for part in parts]))
    assert np.bincount(best, minlength=LAYERS) / 400 == pytest.approx(1 / LAYERS, abs=0.08)


def test_shuffled_sounds_predict_nothing() -> None:
    layers = made_layers()
    parts = scored(layers, responses(layers[TRUE], 0.5, 80)[:, :, :1], shuffle=True)
    assert np.mean([part.r for part in parts]) == pytest.approx(0, abs=0.01)
    assert np.median([part.value for part in parts]) < 0.05


def test_one_repetition_is_not_corrected() -> None:
    layer = made_layers()[0]
    part = Separate(responses(layer, 0.5, 50)[:, :, :1]).score(layer)
    assert np.median(part.value) == pytest.approx(np.median(part.r) ** 2, abs=0.05)
