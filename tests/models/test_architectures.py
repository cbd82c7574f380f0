"""The networks: their published sizes, and that the fast form computes the plain one."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from models.architecture_table import ARCHITECTURES, NetworkSize, Table, resolve_depth
from models.architectures import build
from models.architectures.broadcast import Broadcast
from models.architectures.convolution import Convolution
from models.architectures.cost import mflop_per_clip, parameters
from models.architectures.separable import FilterBank, GaborBank
from models.mel import hertz, mel
from models.published import PARAMETERS
from tests.models.forked import Forked


def ch_parameters(channels: int, depth: int, batch_norm: bool, words: int = 16) -> int:
    """The published formula, written down independently of the network."""
    total, inputs, length = 0, 1, 16000
    for layer in range(1, depth + 1):
        outputs = channels * (1 if layer <= 4 else 2 if layer <= 8 else 4)
        total += inputs * outputs * 5 + outputs + (2 * outputs if batch_norm else 0)
        inputs = outputs
        if layer < depth:
            length //= 3
    return total + inputs * length * words + words


@pytest.mark.parametrize(("published", "count"), PARAMETERS.items())
def test_sizes_are_the_published_ones(published: tuple[str, int, bool], count: int) -> None:
    name, depth, batch_norm = published
    assert parameters(build(name, 16, depth, 0.5, batch_norm)) == count


@pytest.fixture(scope="module")
def networks() -> tuple[NetworkSize, ...]:
    """As the command prints them; that they are the measured ones is tested in test_architecture_table.py."""
    return Table.model_validate_json(Forked("architectures").ended().stdout).networks


@pytest.mark.parametrize("name", ["ch32", "ch64", "ch128"])
def test_sizes_follow_the_formula_at_every_depth(name: str, networks: tuple[NetworkSize, ...]) -> None:
    ours = [network for network in networks if network.architecture == name]
    assert [network.depth for network in ours[::2]] == list(range(1, 10))
    for network in ours:
        assert network.parameters == ch_parameters(int(name[2:]), network.depth, network.batch_norm)


def test_layers_are_called_as_in_the_published_tables(networks: tuple[NetworkSize, ...]) -> None:
    layers = [network.layer for network in networks if network.architecture == "ch32" and network.batch_norm]
    assert layers == ["CONV(5, 32)"] * 4 + ["CONV(5, 64)"] * 4 + ["CONV(5, 128)"]


def test_every_offered_network_can_be_built_for_other_words(networks: tuple[NetworkSize, ...]) -> None:
    for offered in networks:
        if offered.batch_norm == offered.depth % 2:  # each depth with one of the two
            continue
        with torch.device("meta"):
            network = build(offered.architecture, 3, offered.depth, 0.5, offered.batch_norm)
            scores = network(torch.zeros(2, 16000))
        assert scores.shape == (2, 3)
        assert (
            sum(isinstance(module, (Convolution, Broadcast)) for module in network.modules()) == offered.depth
        )
        assert offered.mflop_per_clip
        assert offered.mflop_per_clip > 0


def plain_form(network: torch.nn.Module, clips: torch.Tensor) -> torch.Tensor:
    """Conv1d, batch norm, ReLU, then pooling: as the published networks are described."""
    signal = clips[:, None]
    for module in network.children():
        if not isinstance(module, Convolution):
            signal = module(signal)
            continue
        convolution = module.convolution
        signal = functional.conv1d(
            signal, convolution.weight[:, :, 0], convolution.bias, padding=convolution.padding[1]
        )
        if isinstance(norm := module.norm, torch.nn.BatchNorm2d):
            signal = functional.batch_norm(
                signal, norm.running_mean, norm.running_var, norm.weight, norm.bias
            )
        signal = torch.relu(signal)
        if module.pool > 1:
            if module.pool_all:
                missing = -signal.shape[-1] % module.pool
                signal = functional.pad(signal, (missing // 2, missing - missing // 2), value=-torch.inf)
            signal = functional.max_pool1d(signal, module.pool)
    return signal


@pytest.mark.parametrize("name", ["base", "ch32", "ch64", "ch128", "vgg"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_fast_form_equals_the_plain_form(name: str, batch_norm: bool) -> None:
    torch.manual_seed(0)
    depth = None if name in {"base", "ch32"} else 4
    network = build(name, 16, depth, 0.5, batch_norm).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # A negative scale is where pooling before batch norm would go wrong.
            torch.nn.init.normal_(module.weight)
            assert module.running_mean is not None
            torch.nn.init.normal_(module.running_mean, std=0.1)
    clips = 0.1 * torch.randn(2, 16000)
    with torch.inference_mode():
        torch.testing.assert_close(network(clips), plain_form(network, clips), rtol=1e-4, atol=1e-5)


def test_base_has_the_published_lengths() -> None:
    network = build("base", 16, None, 0, batch_norm=False)
    lengths = []
    signal = torch.zeros(1, 1, 1, 16000)
    for module in network.children():
        if isinstance(module, Convolution):
            lengths.append(signal.shape[-1] - 24)
            signal = module(signal)
            lengths.append(signal.shape[-1])
    assert lengths == [15976, 3994, 3970, 993, 969, 243, 219, 55, 31, 8]


def test_arithmetic_is_counted_by_the_formula() -> None:
    network = build("ch32", 16, 2, 0, batch_norm=False)
    multiply_adds = 16000 * 5 * 32 + 5333 * 5 * 32 * 32 + 5333 * 32 * 16
    assert mflop_per_clip(network) == pytest.approx(2 * multiply_adds / 1e6)


class Recurrent(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, clips: Tensor) -> Tensor:
        frames: Tensor = self.layer(clips.reshape(len(clips), -1, 40))[0]
        return frames[:, -1]


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(1600, 24)

    def forward(self, clips: Tensor) -> Tensor:
        state = torch.zeros(len(clips), 24)
        for part in clips.reshape(len(clips), -1, 1600).unbind(1):
            state = self.cell(part, state)
        return state


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(40, 4, kdim=20, vdim=20, batch_first=True)

    def forward(self, clips: Tensor) -> Tensor:
        told = clips.reshape(len(clips), -1, 20)
        found: Tensor = self.attention(clips.reshape(len(clips), -1, 40), key=told, value=told)[0]
        return found.mean(1)


class Windows(nn.Module):
    """Takes each clip apart, so that a batch is longer inside than outside."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(1, 8, 25), nn.ConvTranspose1d(8, 16, 3, stride=2))

    def forward(self, clips: Tensor) -> Tensor:
        found: Tensor = self.layers(clips.reshape(-1, 1, 1600))
        return found.mean(-1).reshape(len(clips), -1, 16).mean(1)


@pytest.mark.parametrize(
    "network",
    [
        Recurrent(nn.LSTM(40, 24, num_layers=2, bidirectional=True, batch_first=True)),
        Recurrent(nn.GRU(40, 24, batch_first=True)),
        Cell(),
        Attention(),
        nn.Sequential(nn.Unflatten(1, (-1, 40)), nn.TransformerEncoderLayer(40, 4, 64, batch_first=True)),
        Windows(),
    ],
    ids=["lstm", "gru", "cell", "attention", "transformer", "windows"],
)
# Which is of Intel's GPUs, and told as oneDNN is switched on again.
@pytest.mark.filterwarnings("ignore:TF32 acceleration")
def test_arithmetic_of_own_networks_is_that_which_torch_counts(network: nn.Module) -> None:
    ours = mflop_per_clip(network)
    # torch counts none of the fused forms.
    with (
        FlopCounterMode(display=False) as counter,
        torch.backends.mkldnn.flags(enabled=False),
        sdpa_kernel(SDPBackend.MATH),
    ):
        network(torch.zeros(1, 16000))
    assert ours == pytest.approx(counter.get_total_flops() / 1e6)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_hears_other_lengths_and_says_what_is_too_short(name: str) -> None:
    network = build(name, 3, None, 0.0, batch_norm=False, samples=30_000)
    assert network(torch.zeros(2, 30_000)).shape == (2, 3)
    with pytest.raises(ValueError, match="samples are too few for"):
        build(name, 3, None, 0.0, batch_norm=False, samples=1000 if name == "base" else 500)


@pytest.mark.parametrize(
    ("name", "depth", "sentence"),
    [
        ("resnet", None, "there is no architecture 'resnet'; choose one of base, ch32"),
        ("ch32", 12, "ch32 has no depth 12; choose one of 1, 2, 3"),
        ("base", 4, "base has no depth 4; choose one of 5"),
    ],
)
def test_what_is_not_offered_is_refused_with_what_is(name: str, depth: int | None, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        resolve_depth(name, depth)


def test_the_command_lists_every_network_once(networks: tuple[NetworkSize, ...]) -> None:
    keys = [(network.architecture, network.depth, network.batch_norm) for network in networks]
    assert len(keys) == len(set(keys)) == 2 * sum(len(one.depths) for one in ARCHITECTURES.values())
    defaults = {network.architecture: network.depth for network in networks if network.default}
    published = {"base": 5, "ch32": 8, "ch64": 8, "ch128": 9, "vgg": 16}
    assert defaults == published | {"sep96": 8, "sep512": 8, "bc64": 13, "bc192": 13}


def test_the_filter_bank_hears_each_tone_in_its_band() -> None:
    """Energies in mel bands, and the same from the layer's own call as from the faster one."""
    bank = FilterBank(batch_norm=False).eval()
    tones_hz = torch.tensor([300.0, 1000.0, 3000.0])
    clips = 0.1 * torch.sin(2 * torch.pi * tones_hz[:, None] * torch.arange(16000) / 16000)
    with torch.inference_mode():
        energies = bank(clips[:, None, None])
        bank.convolution.register_forward_hook(lambda *_: None)
        torch.testing.assert_close(bank(clips[:, None, None]), energies, rtol=1e-4, atol=1e-5)
    assert energies.shape == (3, 40, 1, 100)
    middles = hertz(np.linspace(mel(60), mel(7600), 42))[1:-1]
    loudest = middles[energies[:, :, 0, 50].argmax(1).numpy()]
    assert np.abs(mel(loudest) - mel(tones_hz.numpy())).max() < mel(middles[1]) - mel(middles[0])


@pytest.mark.parametrize(
    ("name", "published"),
    [("sep96", ("ch32", 8, False)), ("bc64", ("ch32", 8, False)), ("sep512", ("ch128", 9, True)),
     ("bc192", ("base", 5, False))],
)  # fmt: skip
def test_our_own_networks_are_within_the_sizes_of_the_published_ones(
    name: str, published: tuple[str, int, bool]
) -> None:
    assert parameters(build(name, 16, None, 0.0, batch_norm=True)) <= PARAMETERS[published]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_what_a_broadcast_block_finds_over_time_is_told_to_all_bands(*, batch_norm: bool) -> None:
    """A change in one band and frame reaches every band, over time only as far as the taps reach."""
    torch.manual_seed(0)
    block = Broadcast(6, 6, step=1, apart=2, dropout=0.5, batch_norm=batch_norm).eval()
    image = torch.rand(1, 6, 20, 30)
    changed = image.clone()
    changed[0, :, 3, 10] += 1
    with torch.inference_mode():
        moved = (block(changed) != block(image))[0].any(0)
    assert moved[:, [8, 10, 12]].all()
    assert moved.any(0).nonzero().flatten().tolist() == [8, 10, 12]


def test_a_bank_that_learns_bands_begins_as_the_bank_that_learns_taps() -> None:
    """Each band's middle and width become its filter, and a step of training moves them alone."""
    bank = GaborBank(batch_norm=False)
    assert [tuple(parameter.shape) for parameter in bank.parameters()] == [(40, 2)]
    assert bank.filters.shape == (40, 1, 320)
    spectra = np.abs(np.fft.rfft(bank.filters[:, 0].numpy(), 16000))
    middles = hertz(np.linspace(mel(60), mel(7600), 42))[1:-1]
    assert np.abs(spectra.argmax(1)[5:] / middles[5:] - 1).max() < 0.02
    halves = np.full(35, 0.5)  # a cosine has the other half of its band at negative frequencies
    np.testing.assert_allclose(spectra.max(1)[5:], halves, rtol=0.15)
    before = next(bank.parameters()).clone()
    bank(torch.randn(2, 1, 1, 16000)).sum().backward()
    torch.optim.Adam(bank.parameters(), 0.01).step()
    assert (next(bank.parameters()) != before).all()
