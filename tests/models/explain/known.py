"""Networks and sounds whose answers are known."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.architectures.convolution import Convolution, Network
from models.data.audio import RATE_HZ, SAMPLES
from models.explain.subject import Subject

WORDS = ("low", "high", "none")
LOW_HZ, HIGH_HZ = 400.0, 3000.0


def gabor(hz: float, deviation_ms: float = 1.0, taps: int = 81) -> NDArray[np.float64]:
    """A cosine under a Gaussian."""
    seconds = (np.arange(taps) - taps // 2) / RATE_HZ
    return np.asarray(np.exp(-0.5 * (1000 * seconds / deviation_ms) ** 2) * np.cos(2 * np.pi * hz * seconds))


def listening(filters: Sequence[NDArray[np.float64]], heeds: Tensor, pool: int = 100) -> Network:
    """A network of one layer: `low` and `high` score the weighted means of the channels, `heeds` (2, channels).

    `none` always scores 0.5.
    """
    taps = torch.from_numpy(np.array(filters)).float()
    layer = Convolution(1, len(taps), taps.shape[1], pool=pool)
    length = SAMPLES // pool
    dense = nn.Linear(len(taps) * length, len(WORDS))
    heeds = torch.cat([heeds, torch.zeros(1, len(taps))])
    with torch.no_grad():
        layer.convolution.weight.copy_(taps[:, None, None])
        dense.weight.copy_(heeds.repeat_interleave(length, 1) / length)
        dense.bias.copy_(torch.tensor([0.0, 0, 0.5]))
    network = Network([layer], nn.Sequential(dense))
    network.eval()
    return network


def two_bands() -> Network:
    """Hears 400 Hz as `low` and 3 kHz as `high`."""
    return listening([gabor(LOW_HZ), gabor(HIGH_HZ)], torch.eye(2))


def tone(hz: float, amplitude: float = 0.3) -> Tensor:
    return amplitude * torch.sin(2 * torch.pi * hz * torch.arange(SAMPLES) / RATE_HZ)


def words_in_tones(count: int = 16) -> tuple[Tensor, Tensor]:
    """Clips (count, 16000) of tones of different loudness in faint noise, and their words in turn."""
    noise = torch.randn(count, SAMPLES, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(count) % 2
    loud = torch.linspace(0.2, 0.5, count)
    tones = [
        tone((LOW_HZ, HIGH_HZ)[int(label)], float(each)) for label, each in zip(labels, loud, strict=True)
    ]
    return torch.stack(tones) + 0.001 * noise, labels


def subject(network: nn.Module, start: nn.Module | None = None, count: int = 16) -> Subject:
    sound, labels = words_in_tones(count)
    return Subject(
        run="r1", title="two tones", words=WORDS, network=network.eval(), start=start, sound=sound, labels=labels,
        files=[f"{WORDS[int(label)]}/{place}.wav" for place, label in enumerate(labels)],
        training=lambda _: (sound, labels),
    )  # fmt: skip
