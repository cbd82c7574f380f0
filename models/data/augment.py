"""Augmentation of training clips: a whole batch at a time, as tensors, on the device that trains."""

import torch
from torch import Tensor

from models.data.audio import SAMPLES


def augment(batch: Tensor, strength: str) -> Tensor:
    """Changes clips (batch, samples) of float samples in -1 to 1 at random.

    "none" changes nothing. "light" moves each clip by up to 100 ms either way, changes its loudness by up to
    6 dB and adds a little noise. "strong" also plays it up to 15 % slower or faster and silences a stretch of
    up to 150 ms. Uses torch's random state of the batch's device.
    """
    if strength == "none":
        return batch
    clips = len(batch)

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(clips, 1, device=batch.device).uniform_(low, high)

    times = torch.arange(SAMPLES, device=batch.device) + uniform(-1600, 1600).round()
    if strength == "strong":
        centre = SAMPLES / 2
        batch = _at((times - centre) * uniform(0.85, 1.15) + centre, batch)
        start, length = uniform(0, SAMPLES), uniform(0, 2400)
        position = torch.arange(SAMPLES, device=batch.device)
        batch = batch * ((position < start) | (position > start + length))
    else:
        batch = _at(times, batch)
    noise = torch.randn_like(batch) * 10 ** uniform(-4, -2.3)
    return batch * 10 ** uniform(-0.3, 0.3) + noise


def _at(times: Tensor, batch: Tensor) -> Tensor:
    """The clips at other times (batch, samples), linearly interpolated; silence outside."""
    before = times.floor()
    share = times - before
    index = before.long()
    # One silent sample at either end, to which everything outside points.
    padded = torch.nn.functional.pad(batch, (1, 1))
    earlier = padded.gather(1, (index + 1).clamp(0, SAMPLES + 1))
    later = padded.gather(1, (index + 2).clamp(0, SAMPLES + 1))
    return torch.lerp(earlier, later, share)
