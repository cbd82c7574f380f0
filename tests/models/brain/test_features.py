from pathlib import Path

import numpy as np
import pytest
import torch

from models.architectures import build
from models.brain import features
from models.brain.errors import BrainError
from models.brain.features import layer_names, network_of, series
from models.brain.sounds import RATE_HZ
from tests.models.brain.made_network import make_network

SOUND = np.random.default_rng(0).normal(scale=0.1, size=2 * RATE_HZ).astype(np.float32)


@pytest.mark.parametrize(("architecture", "depth"), [("ch32", 8), ("base", 5)])
def test_layers_are_those_of_the_network(architecture: str, depth: int) -> None:
    torch.manual_seed(0)
    network = build(architecture, 16, depth, 0.5, True).eval()
    clip = SOUND[:RATE_HZ]
    made = {each.layer: each for each in series(network, clip)}
    assert list(made) == layer_names(network)
    with torch.inference_mode():
        signal = torch.from_numpy(clip)[None, None, None]
        first = next(network.children())(signal)[0, :, 0]
        scores = network(torch.from_numpy(clip)[None])[0]
    assert made["conv1"].mean == pytest.approx(first.mean(-1).numpy(), abs=1e-5)
    assert made["scores"].mean == pytest.approx(scores.numpy(), abs=1e-4)  # one window: the clip itself


def test_other_networks_see_windows() -> None:
    torch.manual_seed(0)
    network = build("sep96", 16, 3, 0.5, True).eval()
    made = {each.layer: each for each in series(network, SOUND)}
    assert list(made) == layer_names(network) == ["conv1", "conv2", "conv3", "scores"]
    with torch.inference_mode():
        halves = [torch.from_numpy(SOUND[start : start + RATE_HZ])[None] for start in (0, 8000, 16000)]
        scores = torch.cat([network(half) for half in halves]).mean(0)
    assert made["scores"].mean == pytest.approx(scores.numpy(), abs=1e-4)
    assert made["conv1"].values.shape == (3, 40)
    assert made["conv1"].times_s.tolist() == [0.5, 1.0, 1.5]


def test_a_long_sound_in_pieces_gives_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = build("ch32", 16, 6, 0.5, True).eval()
    sound = np.random.default_rng(1).normal(scale=0.1, size=5 * RATE_HZ + 123).astype(np.float32)
    whole = list(series(network, sound))
    monkeypatch.setattr(features, "_PIECE_SAMPLES", RATE_HZ)
    for one, other in zip(whole, series(network, sound), strict=True):
        assert one.layer == other.layer
        assert one.times_s == pytest.approx(other.times_s)
        assert one.values == pytest.approx(other.values, abs=1e-5)


def test_features_are_placed_where_they_were_heard() -> None:
    torch.manual_seed(0)
    network = build("ch32", 16, 6, 0.5, False).eval()
    sound = np.zeros(4 * RATE_HZ, dtype=np.float32)
    sound[round(2.4 * RATE_HZ) : round(2.6 * RATE_HZ)] = SOUND[: round(0.2 * RATE_HZ)]
    for each in series(network, sound):
        change = np.abs(each.values - each.values[2]).sum(axis=1)
        if each.layer != "scores":  # whose windows last a second
            assert np.average(each.times_s, weights=change**2) == pytest.approx(2.5, abs=0.06), each.layer


def test_controls_have_other_weights(tmp_path: Path) -> None:
    folder = make_network(tmp_path)
    trained, permuted, new = (
        dict(network_of(folder, weights).named_parameters())
        for weights in ("network", "permuted", "initialisation")
    )
    name = "1.convolution.weight"
    assert not torch.equal(trained[name], permuted[name])
    assert torch.equal(trained[name].flatten().sort().values, permuted[name].flatten().sort().values)
    assert not torch.equal(trained[name], new[name])
    folder.checkpoint_file.unlink()
    with pytest.raises(BrainError, match="on the server that trained it"):
        network_of(folder)
