"""The little signal processing that pictures need; frequencies in Hz."""

import numpy as np
from numpy.typing import NDArray

from models.mel import hertz, mel

Floats = NDArray[np.floating]


def mel_spaced(count: int, highest_hz: float) -> Floats:
    """Centres of `count` bands of equal width in mel between 0 and `highest_hz`, (count,)."""
    return hertz((np.arange(count) + 0.5) / count * mel(highest_hz))


def magnitude_response(filters: Floats, rate_hz: float, frequencies_hz: Floats) -> Floats:
    """Gain |H(f)| = |sum of w[k] exp(-2 pi i f k / rate)| of filters (n, taps), (n, frequencies)."""
    delays = np.arange(filters.shape[1]) / rate_hz
    gain: Floats = np.abs(filters @ np.exp(-2j * np.pi * np.outer(delays, frequencies_hz)))
    return gain


def centroid(positions: Floats, weights: Floats) -> Floats:
    """Mean of positions (m,) weighted by each row of weights (n, m), (n,); NaN where a row is all zero."""
    total = weights.sum(axis=1)
    mean = np.full(len(total), np.nan)
    np.divide(weights @ positions, total, out=mean, where=total > 0)
    return mean


def spectrogram_db(waveform: Floats, window: int = 400, hop: int = 80, floor_db: float = -70) -> Floats:
    """Short-time power in dB below its greatest value, (window // 2 + 1, frames), low frequencies first.

    Frames of 25 ms under a Hann window, centred at multiples of `hop` samples.
    """
    padded = np.pad(waveform, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(window), axis=1).T) ** 2
    return np.asarray(10 * np.log10(np.maximum(power / max(power.max(), 1e-30), 10 ** (floor_db / 10))))
