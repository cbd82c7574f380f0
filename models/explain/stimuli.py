"""Sounds of one second with one property each. All are (sounds, 16000)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.data.audio import RATE_HZ, SAMPLES
from models.mel import hertz, mel

LOWEST_HZ, HIGHEST_HZ = 50, 7900
TONES = 48
LEVEL_DB = -20.0
"""Of tones and noise: a tone of amplitude 0.1."""
LEVELS_DB = tuple(range(-80, 1, 10))
RATES_HZ = (2, 4, 8, 16, 32, 64, 128)
_SEED = 1


def frequencies_hz(count: int = TONES) -> Tensor:
    """Evenly spaced in mel from 50 Hz to 7.9 kHz."""
    return torch.from_numpy(
        hertz(torch.linspace(float(mel(LOWEST_HZ)), float(mel(HIGHEST_HZ)), count).numpy())
    )


def tones(hz: Tensor, level_db: float = LEVEL_DB) -> Tensor:
    """Steady tones; 0 dB is an amplitude of 1."""
    return (10 ** (level_db / 20) * torch.sin(2 * torch.pi * hz.double()[:, None] * _time())).float()


def noise_bands(hz: Tensor, level_db: float = LEVEL_DB) -> Tensor:
    """Noise of a third of an octave around each frequency, with the power of a tone of that level."""
    white = torch.randn(SAMPLES, generator=torch.Generator().manual_seed(_SEED))
    spectrum, bins = torch.fft.rfft(white), torch.fft.rfftfreq(SAMPLES, 1 / RATE_HZ)
    half = 2 ** (1 / 6)
    inside = (bins >= hz[:, None] / half) & (bins <= hz[:, None] * half)
    return _with_power(torch.fft.irfft(spectrum * inside, SAMPLES), level_db)


def modulated(rates_hz: Sequence[float], carrier_hz: float | None, level_db: float = LEVEL_DB) -> Tensor:
    """A tone, or white noise, whose loudness goes up and down fully at each rate, all with the same power."""
    if carrier_hz is None:
        carrier = torch.randn(SAMPLES, generator=torch.Generator().manual_seed(_SEED))
    else:
        carrier = torch.sin(2 * torch.pi * carrier_hz * _time()).float()
    rates = torch.tensor(rates_hz, dtype=torch.float64)[:, None]
    envelope = 1 - torch.cos(2 * torch.pi * rates * _time())
    return _with_power(envelope.float() * carrier, level_db)


def chirps(octaves_a_second: Sequence[float], level_db: float = LEVEL_DB) -> Tensor:
    """Tones that glide through 100 Hz to 7 kHz again and again, up or (negative) down."""
    low, octaves = 100.0, torch.log2(torch.tensor(70.0)).double()
    speed = torch.tensor(octaves_a_second, dtype=torch.float64)[:, None]
    height = torch.remainder(speed * _time(), octaves)
    phase = torch.cumsum(2 * torch.pi * low * 2**height / RATE_HZ, 1)
    return (10 ** (level_db / 20) * torch.sin(phase)).float()


def _time() -> Tensor:
    """Seconds, in double precision: a tone of 8 kHz would otherwise flutter at its end."""
    return torch.arange(SAMPLES, dtype=torch.float64) / RATE_HZ


def _with_power(sound: Tensor, level_db: float) -> Tensor:
    power = sound.square().mean(1, keepdim=True).clamp(min=1e-20)
    return sound * (10 ** (level_db / 20) / 2**0.5) / power.sqrt()
