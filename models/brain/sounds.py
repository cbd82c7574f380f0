"""Sounds as they were heard, and the spectrogram features that a network has to beat. Needs no torch."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from models.brain.data import DataSet, fit_runs_to_sounds
from models.brain.errors import BrainError
from models.mel import hertz, mel

Floats = NDArray[np.floating]

RATE_HZ = 16_000
BANDS = 64
FRAME_HZ = 100
"""Frames of the mel spectrogram a second."""
_WINDOW = 512
_LOWEST_HZ, _HIGHEST_HZ = 50, 7900
_FLOOR = 1e-6
"""Added to the energy of a band before the logarithm: -60 dB of a full-scale tone."""
RATES_HZ = (2.0, 4.0, 8.0, 16.0, 32.0)
SCALES = (0.5, 1.0, 2.0, 4.0)
"""Spectral modulation in cycles a 1000 mel."""
_PARTS = 4
"""Frequency ranges in which modulation energy is averaged."""


class UnreadableSoundError(Exception):
    """A sound cannot be read; the message says why in a few words."""


def read_sound(file: Path) -> NDArray[np.float32]:
    """The whole sound, mono at 16 kHz. Raises: UnreadableSoundError."""
    try:
        signal, rate_hz = soundfile.read(file, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError):
        raise UnreadableSoundError("not a readable WAV file") from None
    if not len(signal):
        raise UnreadableSoundError("empty")
    if not np.isfinite(signal).all():
        raise UnreadableSoundError("has samples that are not numbers")
    return resampled(signal.mean(axis=1), RATE_HZ, rate_hz)


def load_sounds(data: DataSet) -> dict[str, Floats]:
    """The sounds by name; those that cannot be read are left out and named. Raises: BrainError: too few are left."""
    wanted = data.sounds or sorted(
        {event.stimulus for run in data.runs for event in run.events} & data.stimuli.keys()
    )
    sounds: dict[str, Floats] = {}
    for sound in wanted:
        try:
            sounds[sound] = read_sound(data.stimuli[sound])
        except UnreadableSoundError as error:
            data.notices.append(f"Sound {sound} left out: {error}.")
    if data.responses is not None:
        there = np.array([sound in sounds for sound in data.sounds])
        data.responses = data.responses[there]
        data.sounds = [sound for sound in data.sounds if sound in sounds]
        if len(data.sounds) < 20:
            raise BrainError(
                f"{len(data.sounds)} sounds are too few to map: 20 are needed, half to learn, half to test"
            )
    else:
        fit_runs_to_sounds(data, {sound: len(samples) / RATE_HZ for sound, samples in sounds.items()})
    return sounds


def resampled(sound: Floats, rate_hz: int, from_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """The sound at another sampling rate."""
    if rate_hz == from_hz:
        return np.asarray(sound, dtype=np.float32)
    from scipy.signal import resample_poly  # noqa: PLC0415 - takes a second to import

    return np.asarray(resample_poly(sound, rate_hz, from_hz), dtype=np.float32)


def log_mel(sound: Floats) -> Floats:
    """The log energy in 64 mel bands, (frames, bands); frame i is centred on i / 100 s."""
    step = RATE_HZ // FRAME_HZ
    frames = max(1, -(-len(sound) // step))
    padded = np.pad(sound, (_WINDOW // 2, _WINDOW // 2 + frames * step - len(sound)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::step][:frames]
    energies = np.empty((frames, BANDS), dtype=np.float32)
    window, bank = np.hanning(_WINDOW), _bank()
    for start in range(0, frames, 4096):
        spectrum = np.abs(np.fft.rfft(windows[start : start + 4096] * window, axis=1)) ** 2
        energies[start : start + 4096] = spectrum @ bank.T
    return np.asarray(np.log10(energies / (window.sum() / 2) ** 2 + _FLOOR))


def _bank() -> Floats:
    """Triangles between neighbours on the mel scale, (bands, frequencies)."""
    edges = hertz(np.linspace(mel(_LOWEST_HZ), mel(_HIGHEST_HZ), BANDS + 2))
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / RATE_HZ)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    triangles = np.maximum(0, np.minimum(rising, falling))
    # A narrow band may fall between two frequencies: it takes the nearest.
    nearest = np.abs(frequencies - middle).argmin(axis=1)
    triangles[np.arange(BANDS), nearest] = np.maximum(triangles[np.arange(BANDS), nearest], 1e-3)
    return np.asarray(triangles / triangles.sum(axis=1, keepdims=True))


def modulation(sound: Floats) -> Floats:
    """Spectro-temporal modulation energy of the mel spectrogram, (frames, 160), as in Chi, Ru & Shamma (2005).

    The log-mel spectrogram is filtered by Gaussians around each temporal rate, spectral scale and direction in the
    plane of its two-dimensional Fourier transform; the magnitude is averaged in four frequency ranges.
    """
    spectrogram = log_mel(sound)
    spectrogram = spectrogram - spectrogram.mean()
    frames = len(spectrogram)
    size = (frames + FRAME_HZ // 2, 2 * BANDS)  # zeros keep ends from meeting
    plane = np.fft.fft2(spectrogram, size)
    rate = np.fft.fftfreq(size[0], 1 / FRAME_HZ)[:, None]
    width_kilomel = (mel(_HIGHEST_HZ) - mel(_LOWEST_HZ)) / 1000 / (BANDS + 1)
    scale = np.fft.fftfreq(size[1], float(width_kilomel))[None]
    energies = []
    for centre_hz in RATES_HZ:
        for centre in SCALES:
            across = np.exp(-(((scale - centre) / (0.5 * centre)) ** 2))
            for direction in (1, -1):
                along = np.exp(-(((rate - direction * centre_hz) / (0.5 * centre_hz)) ** 2))
                filtered = np.abs(np.fft.ifft2(plane * along * across)[:frames, :BANDS])
                energies.append(filtered.reshape(frames, _PARTS, -1).mean(axis=2))
    return np.concatenate(energies, axis=1).astype(np.float32)
