"""Augmentation of training clips: a whole batch at a time, as tensors, on the device that trains."""

import torch
from torch import Tensor

from models.data.audio import RATE_HZ


def augment(batch: Tensor, strength: str, rate_hz: int = RATE_HZ) -> Tensor:
    """Changes clips (batch, samples) of float samples in -1 to 1 at random.

    "none" changes nothing. "light" moves each clip by up to 100 ms either way, changes its loudness by up to
    6 dB and adds a little noise. "strong" also plays it up to 15 % slower or faster and silences a stretch of
    up to 150 ms. Uses torch's random state of the batch's device.
    """
    if strength == "none":
        return batch
    clips, samples = batch.shape

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(clips, 1, device=batch.device).uniform_(low, high)

    times = torch.arange(samples, device=batch.device) + uniform(-rate_hz / 10, rate_hz / 10).round()
    if strength == "strong":
        centre = samples / 2
        batch = _at((times - centre) * uniform(0.85, 1.15) + centre, batch)
        start, length = uniform(0, samples), uniform(0, 0.15 * rate_hz)
        position = torch.arange(samples, device=batch.device)
        batch = batch * ((position < start) | (position > start + length))
    else:
        batch = _at(times, batch)
    noise = torch.randn_like(batch) * 10 ** uniform(-4, -2.3)
    return batch * 10 ** uniform(-0.3, 0.3) + noise


def _at(times: Tensor, batch: Tensor) -> Tensor:
    """The clips at other times (batch, samples), linearly interpolated; silence outside."""
    samples = batch.shape[1]
    before = times.floor()
    share = times - before
    index = before.long()
    # One silent sample at either end, to which everything outside points.
    padded = torch.nn.functional.pad(batch, (1, 1))
    earlier = padded.gather(1, (index + 1).clamp(0, samples + 1))
    later = padded.gather(1, (index + 2).clamp(0, samples + 1))
    return torch.lerp(earlier, later, share)
