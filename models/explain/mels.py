"""The log-mel spectrogram, the picture of sound that the network is compared with."""

import torch
from torch import Tensor

from models.data.audio import RATE_HZ, SAMPLES
from models.mel import hertz, mel

BANDS = 40
STEP_MS = 10
FRAMES = SAMPLES * 1000 // RATE_HZ // STEP_MS
_WINDOW = 400
_LOWEST_HZ, _HIGHEST_HZ = 60, 7600
_FLOOR = 1e-6


def centres_hz() -> Tensor:
    """The centres of the bands, (40,), low to high."""
    return _edges_hz()[1:-1]


def log_mel(sound: Tensor) -> Tensor:
    """Decibels of clips (n, 16000) in 40 mel bands and 100 frames of 25 ms, one each 10 ms: (n, 40, 100).

    The frames are centred at 5 ms, 15 ms and so on.
    """
    edges, bins = _edges_hz(), torch.fft.rfftfreq(512, 1 / RATE_HZ).double()
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    bank = torch.minimum(rising, falling).clamp(min=0).float()
    bank /= bank.sum(1, keepdim=True).clamp(min=1e-9)
    return torch.cat([_decibels(some, bank) for some in torch.split(sound, 128)])


def _decibels(sound: Tensor, bank: Tensor) -> Tensor:
    hop = RATE_HZ * STEP_MS // 1000
    side = _WINDOW // 2 - hop // 2
    frames = torch.nn.functional.pad(sound, (side, side)).unfold(1, _WINDOW, hop) * torch.hann_window(_WINDOW)
    power = torch.fft.rfft(frames, 512).abs().square()
    return 10 * torch.log10(power @ bank.T + _FLOOR).transpose(1, 2)


def _edges_hz() -> Tensor:
    low, high = float(mel(_LOWEST_HZ)), float(mel(_HIGHEST_HZ))
    return torch.from_numpy(hertz(torch.linspace(low, high, BANDS + 2).double().numpy()))


def at_frames(output: Tensor, times_ms: Tensor) -> Tensor:
    """A layer's output (n, channels, time) at the times of the frames, (n, channels, 100).

    Linear between values, and the mean of those within a frame where there are several.
    """
    frames_ms = STEP_MS * (torch.arange(FRAMES) + 0.5)
    step = float(times_ms[1] - times_ms[0]) if len(times_ms) > 1 else 1000.0
    if step < STEP_MS:
        place = (times_ms / STEP_MS).long().clamp(0, FRAMES - 1)
        member = torch.nn.functional.one_hot(place, FRAMES).float()
        return output @ (member / member.sum(0).clamp(min=1))
    at = ((frames_ms - times_ms[0]) / step).clamp(0, len(times_ms) - 1)
    low = at.floor().long().clamp(max=max(0, len(times_ms) - 2))
    high = (low + 1).clamp(max=len(times_ms) - 1)
    part = (at - low).float()
    return output[:, :, low] * (1 - part) + output[:, :, high] * part
