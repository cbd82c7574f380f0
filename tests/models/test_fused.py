"""The loops in C against the torch form of the same layer, which is the reference."""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from models.architecture_table import ARCHITECTURES
from models.architectures import broadcast as broadcast_module
from models.architectures import build, compiled
from models.architectures import convolution as convolution_module
from models.architectures import separable as separable_module
from models.architectures.broadcast import Broadcast
from models.architectures.compiled import libraries
from models.architectures.convolution import Convolution
from models.architectures.fused import ONE_VALUE
from models.architectures.fused_bands import bands_norm, fits_bands, join
from models.architectures.fused_channels import channel_filters, fits_channels
from models.process import NO_COMPILER

pytestmark = pytest.mark.skipif(not libraries(), reason="needs a C compiler: apt-get install gcc")

LAYERS = [
    (3, 1, 32, 100, {"kernel": 5, "pool": 3}),
    (20, 32, 32, 50, {"kernel": 5, "pool": 3}),
    (2, 32, 64, 31, {"kernel": 5}),
    (5, 64, 64, 77, {"kernel": 3, "pool": 3}),
    (4, 1, 8, 300, {"kernel": 25, "same": False, "pool": 4, "pool_all": True}),
    (4, 8, 16, 299, {"kernel": 25, "same": False, "pool": 4, "pool_all": True}),
    (3, 7, 40, 53, {"kernel": 3, "pool": 2}),
    (33, 5, 24, 11, {"kernel": 5, "pool": 3}),
    (1, 16, 256, 5, {"kernel": 5, "pool": 3}),
]


Change = Callable[[Convolution], None]


@pytest.fixture
def without_loops(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def turn_off() -> None:
        monkeypatch.setattr(convolution_module, "fits_layer", lambda *_, **__: False)
        monkeypatch.setattr(separable_module, "fits_channels", lambda *_: False)
        for name in ("fits", "fits_bands", "fits_channels"):
            monkeypatch.setattr(broadcast_module, name, lambda *_, **__: False)

    return turn_off


@pytest.fixture(params=[(4,), (8,), (16, 8)], ids=str)
def every_width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loops as another processor gets them; the compiler makes wide vectors of the narrow ones that this one has."""
    monkeypatch.setattr(compiled, "widths", lambda _: request.param)
    libraries.cache_clear()
    assert list(libraries()) == list(request.param)
    yield
    libraries.cache_clear()


def outcome(layer: torch.nn.Module, signal: Tensor) -> list[Tensor]:
    """Output, all gradients, running moments and the output in evaluation, in float64."""
    layer = copy.deepcopy(layer).to(signal.dtype)
    signal = signal.clone().requires_grad_()
    out = layer(signal)
    (out * torch.linspace(-1, 1, out.numel()).reshape(out.shape).to(out)).sum().backward()
    gradients = [parameter.grad for parameter in layer.parameters() if parameter.grad is not None]
    moments = [buffer for buffer in layer.buffers() if buffer.ndim]
    found = [out, signal.grad, *gradients, *moments, layer.eval()(signal)]
    return [tensor.detach().double() for tensor in found if tensor is not None]


@pytest.mark.usefixtures("every_width")
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("clips", "inputs", "outputs", "length", "choice"), LAYERS)
def test_a_layer_is_as_near_to_float64_as_the_torch_form(
    clips: int, inputs: int, outputs: int, length: int, choice: dict[str, int], *, batch_norm: bool,
    without_loops: Callable[[], None],
) -> None:  # fmt: skip
    torch.manual_seed(0)
    layer = Convolution(inputs, outputs, batch_norm=batch_norm, **choice)  # type: ignore[arg-type]
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    signal = torch.randn(clips, inputs, 1, length)
    ours = outcome(layer, signal)
    without_loops()
    exact = outcome(layer, signal.double())
    # Under batch norm the bias of the convolution has no gradient but rounding.
    for mine, wanted in zip(ours, [t for t in exact if t.abs().max() > 1e-9], strict=True):
        assert (mine - wanted).abs().max() <= 4e-6 * wanted.abs().max()


def test_batch_norm_of_a_single_value_is_refused_as_in_the_torch_form(
    without_loops: Callable[[], None],
) -> None:
    layer, signal = Convolution(16, 8, 3, batch_norm=True), torch.randn(1, 16, 1, 1)
    with pytest.raises(ValueError, match=ONE_VALUE):
        layer(signal)
    assert layer.eval()(signal).isfinite().all()
    without_loops()
    with pytest.raises(ValueError, match=ONE_VALUE):
        layer.train()(signal)


def convolution(**choice: Any) -> Change:
    def change(layer: Convolution) -> None:
        layer.convolution = torch.nn.Conv2d(16, 16, (1, 3), **choice)

    return change


def norm(make: Callable[[], torch.nn.Module]) -> Change:
    def change(layer: Convolution) -> None:
        layer.norm = make()  # type: ignore[assignment]

    return change


def twice(module: Callable[[Convolution], torch.nn.Module]) -> Change:
    def change(layer: Convolution) -> None:
        module(layer).register_forward_pre_hook(lambda _, signals: (2 * signals[0],))

    return change


CHANGES: dict[str, Change] = {
    "stride": convolution(stride=(1, 2)),
    "dilation": convolution(dilation=(1, 2)),
    "groups": convolution(groups=4),
    "circular": convolution(padding=(0, 1), padding_mode="circular"),
    "padding in words": convolution(padding="same"),
    "no bias": convolution(bias=False),
    "another norm": norm(lambda: torch.nn.GroupNorm(4, 16)),
    "a norm without scale": norm(lambda: torch.nn.BatchNorm2d(16, affine=False)),
    "a norm without moments": norm(lambda: torch.nn.BatchNorm2d(16, track_running_stats=False)),
    "a norm with the mean of all batches": norm(lambda: torch.nn.BatchNorm2d(16, momentum=None)),
    "a hook before the convolution": twice(lambda layer: layer.convolution),
    "a hook before the norm": twice(lambda layer: layer.norm),
}


@pytest.mark.parametrize("height", [1, 3])
@pytest.mark.parametrize("change", [None, *CHANGES])
def test_what_a_lab_changed_in_a_layer_counts_as_in_the_torch_form(
    change: str | None, height: int, without_loops: Callable[[], None]
) -> None:
    torch.manual_seed(0)
    layer = Convolution(16, 16, 3, pool=2, batch_norm=True)
    if change:
        CHANGES[change](layer)
    signal = torch.randn(3, 16, height, 50)
    ours = outcome(layer, signal)
    without_loops()
    theirs_too = outcome(layer, signal)
    # Under batch norm the bias of the convolution has no gradient but rounding.
    pairs = zip(*([t for t in found if t.abs().max() > 1e-3] for found in (ours, theirs_too)), strict=True)
    for mine, theirs in pairs:
        assert mine.shape == theirs.shape
        assert (mine - theirs).abs().max() <= 1e-5 * theirs.abs().max()


WRONG = {
    "too few channels": (3, 8, 1, 50),
    "too many channels": (3, 24, 1, 50),
    "too short for the kernel": (3, 16, 1, 4),
    "too short for the pool": (3, 16, 1, 10),
    "no channels": (3, 50),
}


@pytest.mark.parametrize("shape", WRONG.values(), ids=WRONG)
def test_a_signal_that_a_layer_cannot_take_is_refused_in_the_words_of_torch(
    shape: tuple[int, ...], without_loops: Callable[[], None]
) -> None:
    layer, signal = Convolution(16, 16, 9, same=False, pool=3), torch.randn(shape)
    with pytest.raises(RuntimeError) as ours:
        layer(signal)
    without_loops()
    with pytest.raises(RuntimeError) as theirs:
        layer(signal)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_gradients_of_gradients_are_refused_and_never_left_out(*, batch_norm: bool) -> None:
    layer = Convolution(16, 16, 3, pool=2, batch_norm=batch_norm)
    signal = torch.randn(3, 16, 1, 50, requires_grad=True)
    [gradient] = torch.autograd.grad(layer(signal).square().sum(), signal, create_graph=True)
    penalty = gradient.square().sum() + layer.convolution.weight.square().sum()
    with pytest.raises(RuntimeError, match="twice"):
        penalty.backward()  # type: ignore[no-untyped-call]


def test_bands_that_are_not_in_equal_parts_are_left_to_torch() -> None:
    layer = Broadcast(16, 16, step=1, apart=1, dropout=0.0, batch_norm=False)
    assert not fits_bands(torch.randn(2, 16, 3, 9), layer.over_bands, parts=5)
    assert layer(torch.randn(2, 16, 3, 9)).shape == (2, 16, 3, 9)
    with pytest.raises(RuntimeError):
        layer(torch.randn(2, 8, 5, 9))


BLOCKS = [
    (3, 32, 32, 20, 1, 1),
    (5, 64, 48, 20, 2, 2),
    (2, 48, 48, 10, 1, 4),
    (4, 32, 64, 5, 1, 8),
    (1, 16, 16, 5, 1, 1),
]


@pytest.mark.usefixtures("every_width")
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_over_bands_is_as_near_to_float64_as_the_torch_form(
    block: tuple[int, ...], *, batch_norm: bool, without_loops: Callable[[], None]
) -> None:
    clips, inputs, outputs, bands, step, apart = block
    torch.manual_seed(0)
    layer = Broadcast(inputs, outputs, step=step, apart=apart, dropout=0.0, batch_norm=batch_norm)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    signal = torch.randn(clips, inputs, bands, 21)
    ours = outcome(layer, signal)
    without_loops()
    exact, theirs = outcome(layer, signal.double()), outcome(layer, signal)
    wanted = [(t, other) for t, other in zip(exact, theirs, strict=True) if t.abs().max() > 1e-9]
    for mine, (true, other) in zip(ours, wanted, strict=True):
        # The order of sums, which the compiler chooses, is worth this much through four layers.
        assert (mine - true).abs().max() <= 2e-5 * true.abs().max() + 3 * (other - true).abs().max()


def gradients(name: str, dtype: torch.dtype, *, batch_norm: bool) -> Tensor:
    """All gradients of one step in a row, in float64."""
    torch.manual_seed(0)
    network = build(name, 16, None, 0.0, batch_norm)
    clips = torch.randn(2, 16000)
    network.to(dtype)(clips.to(dtype)).square().mean().backward()
    # Under batch norm the bias of a convolution has no effect: no gradient here, rounding in the torch form.
    found = [torch.zeros_like(p) if p.grad is None else p.grad for p in network.parameters()]
    return torch.cat([gradient.double().flatten() for gradient in found])


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_a_network_is_as_near_to_float64_as_its_torch_form(
    name: str, *, batch_norm: bool, without_loops: Callable[[], None]
) -> None:
    ours = gradients(name, torch.float32, batch_norm=batch_norm)
    without_loops()
    theirs = gradients(name, torch.float32, batch_norm=batch_norm)
    exact = gradients(name, torch.float64, batch_norm=batch_norm)
    # Each layer alone is held to far less, above. Here rounding decides a few near-ties of the pools, differently
    # for each form and number of threads, which costs up to two hundredths of the gradients' length.
    assert (ours - exact).norm() <= 3 * (theirs - exact).norm() + 0.03 * exact.norm()


CHANNEL_FILTERS = [(1, 16, 1, 3), (3, 48, 7, 13), (20, 96, 50, 29), (33, 32, 101, 9)]


@pytest.mark.usefixtures("every_width")
@pytest.mark.parametrize(("clips", "channels", "length", "taps"), CHANNEL_FILTERS)
def test_filters_of_channels_are_as_near_to_float64_as_the_torch_form(
    clips: int, channels: int, length: int, taps: int
) -> None:
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(
        channels, channels, (1, taps), padding=(0, taps // 2), groups=channels, bias=False
    )
    signal = torch.randn(clips, channels, 1, length, requires_grad=True)
    assert fits_channels(signal, layer)
    out = channel_filters(signal, layer.weight)
    gradient = torch.randn_like(out)
    out.backward(gradient)  # type: ignore[no-untyped-call]
    exact = copy.deepcopy(layer).double()
    double = signal.detach().double().requires_grad_()
    wanted = exact(double)
    exact.zero_grad()
    wanted.backward(gradient.double())
    found = [(out, wanted), (signal.grad, double.grad), (layer.weight.grad, exact.weight.grad)]
    for ours, theirs in found:
        assert ours is not None
        assert theirs is not None
        assert (ours.double() - theirs).abs().max() <= 1e-6 * theirs.abs().max()


def test_without_a_compiler_a_network_trains_and_the_log_says_why_it_is_slow(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    libraries.cache_clear()
    monkeypatch.setenv("PATH", "")
    try:
        layer = Convolution(1, 8, 3, pool=3)
        for _ in range(2):
            out: Tensor = layer(torch.randn(2, 1, 1, 30))
            out.sum().backward()  # type: ignore[no-untyped-call]
        assert layer.convolution.weight.grad is not None
        assert [record.message for record in caplog.records] == [f"note: {NO_COMPILER}"]
    finally:
        libraries.cache_clear()


class ChannelFilters(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(32, 1, 1, 9))

    def forward(self, signal: Tensor) -> Tensor:
        return channel_filters(signal, self.weight)


class OverBands(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = torch.nn.Conv2d(32, 32, (3, 1), padding=(1, 0), groups=32, bias=False)
        self.norm = torch.nn.BatchNorm2d(32 * 5)

    def forward(self, signal: Tensor) -> Tensor:
        bands = bands_norm(signal, self.kernel, self.norm, parts=5, around=True)
        return join(bands, bands.mean, signal)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    before = torch.get_num_threads()
    try:
        layers: list[torch.nn.Module] = [
            Convolution(32, 64, 5, pool=3),
            Convolution(32, 64, 5, pool=3, batch_norm=True),
            ChannelFilters(),
            OverBands(),
        ]
        for layer in layers:
            torch.manual_seed(0)
            signal = torch.randn(37, 32, 10 if isinstance(layer, OverBands) else 1, 100)
            found = []
            for threads in (1, 2, 3, 1):
                torch.set_num_threads(threads)
                found.append(outcome(layer, signal))
            assert all(
                torch.equal(one, other)
                for others in found[1:]
                for one, other in zip(found[0], others, strict=True)
            )
    finally:
        torch.set_num_threads(before)


def test_a_layer_of_any_width_has_loops_on_any_processor() -> None:
    for flags, widest in (
        ("fpu sse2", 4),
        ("fpu avx avx2", 8),
        ("fpu avx avx2 avx512f avx512vl", 16),
        ("asimd", 4),
    ):
        widths = compiled.widths(flags)
        assert widths[0] == widest
        assert any(8 % lanes == 0 for lanes in widths)


def test_the_first_of_equals_wins_and_what_is_no_number_stays() -> None:
    layer = Convolution(1, 8, 1, pool=3)
    with torch.no_grad():
        layer.convolution.weight.fill_(1)
        layer.convolution.bias.fill_(0)  # type: ignore[union-attr]
    signal = torch.tensor([2.0, 2.0, 1.0, -1.0, -2.0, -3.0, 1.0, math.nan, 3.0])
    signal = signal.reshape(1, 1, 1, 9).requires_grad_()
    out = layer(signal)
    assert out[0, 0, 0, :2].tolist() == [2, 0]
    assert out[0, :, 0, 2].isnan().all()
    out[..., :2].sum().backward()
    assert signal.grad is not None
    assert signal.grad[0, 0, 0, :6].tolist() == [8, 0, 0, 0, 0, 0]
