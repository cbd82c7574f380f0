"""The separable families: a filter bank with logarithms, then separable convolutions with residual connections.

They need a fraction of the parameters and of the arithmetic of the published families.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from models.architectures.convolution import Convolution, Network, need
from models.architectures.fused_channels import channel_filters, fits_channels
from models.data.audio import RATE_HZ
from models.mel import hertz, mel

BANDS, TAPS, STEP, FRAME = 40, 160, 40, 160
"""Bands; samples of a filter, between two of its outputs, and between two frames."""
FLOOR = 1e-6
"""Added to a band's energy: silence has a logarithm too."""


def sep96(words: int, depth: int, dropout: float, batch_norm: bool, samples: int = 16000) -> Network:
    return _separable(96, words, depth, dropout, batch_norm, samples=samples)


def sep512(words: int, depth: int, dropout: float, batch_norm: bool, samples: int = 16000) -> Network:
    return _separable(512, words, depth, dropout, batch_norm, samples=samples)


def _separable(
    channels: int, words: int, depth: int, dropout: float, batch_norm: bool, *, samples: int
) -> Network:
    """The filter bank, then `depth` - 1 separable convolutions with kernels of 9, 9, 13, 17, ... frames.

    The first of them halves the number of frames; the mean over time goes to the dense layer.
    """
    need(samples // FRAME // 8, samples, depth)  # the longer filters see eight frames at least
    layers: list[Convolution] = [FilterBank(batch_norm)]
    for layer in range(depth - 1):
        inputs, kernel = (channels, 5 + 4 * layer) if layer else (BANDS, 9)
        layers.append(Separable(inputs, channels, kernel, pool=1 if layer else 2, batch_norm=batch_norm))
    width = channels if depth > 1 else BANDS
    classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, words))
    return Network([*layers, nn.AdaptiveAvgPool2d(1)], classifier)


class FilterBank(Convolution):
    """Logarithms of the energies in frequency bands: (batch, 1, 1, samples) to (batch, BANDS, 1, frames).

    Two filters a band, initialised as the sine and the cosine of its middle under a window as long as the band is
    narrow (Gabor filters, evenly spaced in mel), are free to learn. The energy of a band is the sum of their squares,
    averaged over a frame.
    """

    def __init__(self, batch_norm: bool, taps: int = TAPS, step: int = STEP) -> None:
        """Args: taps: of a filter; step: samples between two of its outputs."""
        super().__init__(1, 2 * BANDS, taps, pool=FRAME)
        self.convolution = nn.Conv2d(
            1, 2 * BANDS, (1, taps), stride=(1, step), padding=(0, (taps - step) // 2), bias=False
        )
        self.convolution.weight = nn.Parameter(Gabor(taps)(_bands())[:, None, None])
        self.norm = nn.BatchNorm2d(BANDS) if batch_norm else nn.Identity()

    @property
    def filters(self) -> Tensor:
        """The first filter of each band, (BANDS, 1, taps)."""
        return super().filters[:BANDS]

    def forward(self, signal: Tensor) -> Tensor:
        bank = self.convolution
        step, padding = bank.stride[1], int(bank.padding[1])
        if bank._forward_hooks:  # noqa: SLF001 - what is attached wants the layer's own call
            outputs = bank(signal)[:, :, 0]
        elif signal.device.type == "cpu" and not torch.compiler.is_exporting():
            # As a product of matrices several times as fast as a convolution with such a step.
            sound = functional.pad(signal.flatten(1), (padding, padding)).unfold(1, bank.kernel_size[1], step)
            outputs = functional.linear(sound, bank.weight.flatten(1)).transpose(1, 2)
        else:
            sound, filters = signal.flatten(1)[:, None], bank.weight.flatten(1)[:, None]
            outputs = functional.conv1d(sound, filters, None, step, padding)
        steps = FRAME // step
        frames = outputs.shape[-1] // steps
        power = outputs[..., : frames * steps].square()
        # Not len(): it would fix the batch of an ONNX file.
        by_frame = power.reshape(signal.shape[0], 2, BANDS, 1, frames, steps)
        energy = by_frame.sum((1, -1)) / steps
        # About -1 to 1 from a quiet to a loud band, so that it trains without batch norm too.
        logarithm: Tensor = self.norm((energy + FLOOR).log() / 6 + 1)
        return logarithm


class GaborBank(FilterBank):
    """A filter bank that learns the middle and the width of each band alone: two parameters, and longer filters."""

    def __init__(self, batch_norm: bool) -> None:
        super().__init__(batch_norm, taps=320, step=80)
        parametrize.register_parametrization(self.convolution, "weight", _AsWeights(320), unsafe=True)


class Separable(Convolution):
    """A filter over time for each channel, a mix of all channels at each time, batch norm if asked for, ReLU.

    Where the number of channels stays, the input is added before ReLU. Average pool if asked for.
    Takes and gives (batch, channels, 1, time).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, pool: int, batch_norm: bool) -> None:
        super().__init__(inputs, outputs, 1, pool=pool, batch_norm=batch_norm)
        self.over_time = nn.Conv2d(
            inputs, inputs, (1, kernel), padding=(0, kernel // 2), groups=inputs, bias=False
        )

    @property
    def filters(self) -> Tensor:
        """The filters that both steps together are, (outputs, inputs, taps)."""
        return super().filters * self.over_time.weight.detach()[:, 0, 0]

    def forward(self, signal: Tensor) -> Tensor:
        filters = self.over_time
        fast = signal.shape[1:3] == (filters.in_channels, 1) and fits_channels(signal, filters)
        filtered = channel_filters(signal, filters.weight) if fast else filters(signal)
        out = self.norm(self.convolution(filtered))
        if out.shape[1] == signal.shape[1]:
            out = out + signal
        out = torch.relu(out)
        return functional.avg_pool2d(out, (1, self.pool)) if self.pool > 1 else out


def _bands() -> Tensor:
    """The middle and the width in kHz of bands evenly spaced in mel, (BANDS, 2)."""
    hz = hertz(np.linspace(mel(60), mel(7600), BANDS + 2))
    # As wide at half its power as its neighbours' middles are apart.
    return torch.tensor(np.stack([hz[1:-1], (hz[2:] - hz[:-2]) / 2], 1) / 1000, dtype=torch.float32)


class Gabor(nn.Module):
    """The filters of bands: (bands, 2), middle and width in kHz, to cosines and then sines (2 * bands, taps).

    A Gaussian band has half its power at its width, and a gain of 1 in its middle.
    """

    times_ms: Tensor

    def __init__(self, taps: int) -> None:
        super().__init__()
        times = (torch.arange(taps) - (taps - 1) / 2) * (1000 / RATE_HZ)
        self.register_buffer("times_ms", times, persistent=False)

    def forward(self, bands: Tensor) -> Tensor:
        middle, width = bands[:, :1], bands[:, 1:].abs().clamp(min=0.01)  # 10 Hz at least
        deviation = math.sqrt(math.log(2)) / (math.pi * width)
        window = torch.exp(-0.5 * (self.times_ms / deviation) ** 2)
        window = window / window.sum(1, keepdim=True)
        phase = 2 * math.pi * middle * self.times_ms
        return torch.cat([window * phase.cos(), window * phase.sin()])


class _AsWeights(Gabor):
    """The same as the weights of a convolution, whose parameters the bands become."""

    def forward(self, bands: Tensor) -> Tensor:
        return super().forward(bands)[:, None, None]

    def right_inverse(self, _weights: Tensor) -> Tensor:
        return _bands()
