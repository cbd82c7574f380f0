"""Augmentation of training clips: a whole batch at a time, as tensors, on the device that trains."""

import torch
from torch import Tensor

from models.data.audio import RATE_HZ
from models.mel import mel


def augment(batch: Tensor, strength: str, rate_hz: int = RATE_HZ) -> Tensor:
    """Changes clips (batch, samples) of float samples in -1 to 1 at random.

    "none" changes nothing. "light" moves each clip by up to 100 ms either way, changes its loudness by up to
    6 dB and adds a little noise. "strong" also plays it up to 10 % slower or faster, silences up to two stretches of
    200 ms and takes out up to two bands of a fifth of the mel scale, so that a network learns to need no part alone
    (Park et al., "SpecAugment", 2019, on the waveform). Uses torch's random state of the batch's device.
    """
    if strength == "none":
        return batch
    clips, samples = batch.shape

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(clips, 1, device=batch.device).uniform_(low, high)

    position = torch.arange(samples, device=batch.device)
    start = uniform(-rate_hz / 10, rate_hz / 10).round()
    if strength == "light":
        batch = _at((position + start).long(), batch)
    else:
        times = (position + start - samples / 2) * uniform(0.9, 1.1) + samples / 2
        before = times.floor()
        index = before.long()
        batch = torch.lerp(_at(index, batch), _at(index + 1, batch), times - before)
        frequency = torch.arange(samples // 2 + 1, device=batch.device) * (rate_hz / samples)
        heard = torch.ones_like(frequency, dtype=torch.bool)
        audible = torch.ones_like(position, dtype=torch.bool)
        top = float(mel(rate_hz / 2))
        for _ in range(2):
            width = uniform(0, top / 5)
            low = uniform(0, 1) * (top - width)
            heard = heard & ((frequency < _hertz(low)) | (frequency > _hertz(low + width)))
            length = uniform(0, 0.2 * rate_hz)
            begin = uniform(0, 1) * (samples - length)
            audible = audible & ((position < begin) | (position > begin + length))
        batch = torch.fft.irfft(torch.fft.rfft(batch) * heard, samples) * audible
    noise = torch.randn_like(batch) * 10 ** uniform(-4, -2.3)
    return batch * 10 ** uniform(-0.3, 0.3) + noise


def _hertz(mels: Tensor) -> Tensor:
    """As `models.mel.hertz`."""
    return 700 * (10 ** (mels / 2595) - 1)


def _at(index: Tensor, batch: Tensor) -> Tensor:
    """The samples of the clips at other places (clips, samples); silence outside."""
    # One silent sample at either end, to which everything outside points.
    padded = torch.nn.functional.pad(batch, (1, 1))
    return padded.gather(1, (index + 1).clamp(0, batch.shape[1] + 1))
