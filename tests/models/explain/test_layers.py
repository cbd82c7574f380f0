"""Layers and their receptive fields."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.architectures import build
from models.architectures.convolution import Convolution
from models.explain.filters import first_filters
from models.explain.layers import Layer, find_layers, measured
from models.explain.mels import at_frames
from models.explain.removal import Rest, run, silenced
from models.explain.subject import scores, settle


def ms(samples: float) -> Any:
    return pytest.approx(samples / 16)


@pytest.mark.parametrize(
    ("name", "depth", "kernel", "pools"),
    [("ch32", 8, 5, [3] * 7 + [1]), ("vgg", 4, 3, [1, 3, 1, 1]), ("base", 5, 25, [4] * 5)],
)
def test_receptive_fields_are_those_of_the_formula(
    name: str, depth: int, kernel: int, pools: list[int]
) -> None:
    layers = find_layers(build(name, 4, depth, 0.0, batch_norm=True))
    width, step = 1, 1
    assert len(layers) == depth
    for layer, pool in zip(layers, pools, strict=True):
        width += (kernel - 1) * step + (pool - 1) * step
        step *= pool
        assert (layer.field_ms, layer.step_ms) == (ms(width), ms(step))


class Branches(nn.Module):
    """Two kernels side by side, a stride, and a way around: no family of the study."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Convolution(1, 4, 3, pool=2)
        self.short, self.long = Convolution(4, 4, 3), Convolution(4, 4, 9)
        self.strided = nn.Conv1d(4, 6, 5, stride=2, padding=2)
        self.dense = nn.Linear(6, 3)

    def forward(self, clips: Tensor) -> Tensor:
        signal = self.first(clips[:, None, None])
        signal = signal + self.short(signal) + self.long(signal)
        return self.dense(self.strided(signal[:, :, 0]).mean(2))  # type: ignore[no-any-return]


def test_branches_and_strides() -> None:
    layers = find_layers(Branches())
    assert [layer.name for layer in layers] == ["first", "short", "long", "strided"]
    # After the sum, the longer branch decides: (9 - 1) + (5 - 1) values of two samples each, and the first 4.
    assert [layer.field_ms for layer in layers] == [
        ms(4),
        ms(4 + 2 * 2),
        ms(4 + 8 * 2),
        ms(4 + 8 * 2 + 4 * 2),
    ]
    assert [layer.step_ms for layer in layers] == [ms(2), ms(2), ms(2), ms(4)]


def test_a_filter_bank_with_strides_and_logarithms() -> None:
    network = build("sep96", 4, 3, 0.0, batch_norm=True)
    first, second, third = find_layers(network)
    # Filters of 160 samples, each 40 samples, four of them a frame; then kernels of 9 frames and a pool of 2.
    assert (first.field_ms, first.step_ms) == (ms(280), ms(160))
    assert (second.field_ms, second.step_ms) == (ms(280 + 9 * 160), ms(320))
    assert third.field_ms == ms(280 + 9 * 160 + 8 * 320)
    assert first_filters(network, [first]).shape == (40, 160)


def test_batch_norms_count_before_they_are_compared() -> None:
    network = build("ch32", 3, 2, 0.0, batch_norm=True)
    weights = {name: value.clone() for name, value in network.named_parameters()}
    sound = torch.randn(4, 16000, generator=torch.Generator().manual_seed(0))
    settle(network, sound)
    one, other = network.get_submodule("0"), network.get_submodule("1")
    assert isinstance(other, Convolution)
    with torch.inference_mode():
        before_pool = other.norm(other.convolution(one(sound[:, None, None])))
    torch.testing.assert_close(before_pool.mean((0, 2, 3)), torch.zeros(32), atol=1e-3, rtol=0)
    torch.testing.assert_close(before_pool.var((0, 2, 3)), torch.ones(32), atol=1e-2, rtol=0)
    assert all(torch.equal(weights[name], value) for name, value in network.named_parameters())


def test_a_network_without_known_layers_has_none() -> None:
    assert find_layers(nn.Sequential(nn.Linear(16000, 8), nn.ReLU(), nn.Linear(8, 3))) == []


@pytest.mark.parametrize(
    "network",
    [
        build("ch32", 3, 4, 0.5, batch_norm=True),
        build("base", 3, 5, 0.5, batch_norm=False),
        build("bc64", 3, 2, 0.5, batch_norm=True),
        Branches(),
    ],
)
def test_the_rest_of_a_network_gives_the_scores_of_the_whole(network: nn.Module) -> None:
    sound = torch.randn(2, 16000, generator=torch.Generator().manual_seed(0))
    network.train()(sound)  # batch norms have moments of their own
    network.eval()
    for layer in find_layers(network):
        outputs, whole = run(network, [layer], sound)
        ends = [1, layer.channels - 1]
        rest = Rest(network, layer, sound).scores(sound, outputs[layer.name], [[], ends, [0]])
        torch.testing.assert_close(whole, scores(network, sound))
        torch.testing.assert_close(rest[0], whole)
        for place, group in enumerate((ends, [0]), start=1):
            with silenced(layer.module, group):
                torch.testing.assert_close(rest[place], scores(network, sound))
        (output,) = measured(network, sound, [layer], lambda _, output: output)
        assert output.shape == (2, layer.channels, layer.length)
        with silenced(layer.module, [1]):
            (quiet,) = measured(network, sound, [layer], lambda _, output: output)
        assert not quiet[:, 1].any()
        torch.testing.assert_close(quiet[:, 2:], output[:, 2:])


def test_a_curve_keeps_its_time() -> None:
    for step in (1.0, 7.0, 40.0, 137.0):
        times = torch.arange(0, 1000, step) + step / 2
        curve = at_frames((times / 1000)[None, None], times)[0, 0]
        inside = slice(7, -7)
        torch.testing.assert_close(
            curve[inside], ((torch.arange(100) + 0.5) / 100)[inside], atol=0.004, rtol=0
        )


def test_receptive_fields_are_told_in_whole_milliseconds_where_they_are_long() -> None:
    told = [
        Layer(1, "a", torch.nn.Identity(), 1, 1, field_ms=ms).field_text for ms in (0.4375, 15.06, 2870.4)
    ]
    assert told == ["0.438 ms", "15.1 ms", "2,870 ms"]
