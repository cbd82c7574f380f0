"""One sound file as 16-bit mono at the sampling rate that is asked for."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 16000
SAMPLES = 16000
"""Of a second, which is what a recipe takes where it says nothing else."""
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")
LOWEST_HZ, HIGHEST_HZ = 1000, 400_000
MOST_SECONDS = 3600


class UnreadableClipError(Exception):
    """The file is not a sound that can be used; the message says why in a few words."""


def read_sound(file: Path, rate_hz: int = RATE_HZ) -> tuple[NDArray[np.int16], list[str]]:
    """Reads a recording of any format that libsndfile knows.

    Returns:
        Its samples (int16) at `rate_hz`, and what had to be changed: "resampled", "mixed to mono".

    Raises:
        UnreadableClipError: it is empty, cut off or damaged, too long, or has a sampling rate that no microphone has.
    """
    try:
        _check_whole(file)
        with soundfile.SoundFile(file) as sound:
            own_hz, channels = sound.samplerate, sound.channels
            signal = _signal(sound, rate_hz)
    except OSError as error:
        raise UnreadableClipError((error.strerror or "no sound that can be read").lower()) from None
    except RuntimeError:  # as soundfile calls its own errors
        raise UnreadableClipError("no sound that can be read") from None
    if signal.dtype == np.int16:
        return signal.astype(np.int16), []
    if not np.isfinite(signal).all():
        raise UnreadableClipError("has samples that are not numbers")
    changes = ["mixed to mono"] if channels > 1 else []
    mono = signal.astype(np.float32)
    if own_hz != rate_hz:
        changes.append("resampled")
        mono = _resample(mono, own_hz, rate_hz)
    return np.rint(np.clip(mono, -1, 1) * 32767).astype(np.int16), changes


def _signal(sound: soundfile.SoundFile, rate_hz: int) -> NDArray[np.int16] | NDArray[np.float32]:
    """The mean of all channels; as int16 where nothing has to be changed.

    Raises:
        UnreadableClipError, OSError, RuntimeError: it is no sound that can be used.
    """
    if not LOWEST_HZ <= sound.samplerate <= HIGHEST_HZ:
        raise UnreadableClipError(f"has a sampling rate of {sound.samplerate} Hz")
    if sound.frames > MOST_SECONDS * sound.samplerate:
        raise UnreadableClipError("is longer than an hour")
    signal: NDArray[np.int16] | NDArray[np.float32]
    if sound.samplerate == rate_hz and sound.channels == 1 and sound.subtype == "PCM_16":
        signal = sound.read(dtype="int16")
    else:
        # A minute at a time: eight channels of an hour do not fit beside each other.
        blocks = sound.blocks(60 * sound.samplerate, dtype="float32", always_2d=True)
        signal = np.concatenate([np.zeros(0, np.float32), *(block.mean(axis=1) for block in blocks)])
    if not len(signal):
        raise UnreadableClipError("empty")
    if sound.format in ("WAV", "FLAC") and len(signal) < sound.frames:
        raise UnreadableClipError("cut off")
    return signal


def windows(samples: NDArray[np.int16], length: int) -> NDArray[np.int16]:
    """The windows (n, length) of a recording, evenly spaced from its start to its end.

    A shorter recording is one window with silence after it; of one that is less than a tenth longer, its middle.
    """
    count = max(1, -(-(10 * len(samples) - length) // (10 * length)))
    if len(samples) <= length:
        return np.pad(samples, (0, length - len(samples)))[None]
    spare = len(samples) - length
    starts = [spare // 2] if count == 1 else np.linspace(0, spare, count).astype(int)
    return np.stack([samples[start : start + length] for start in starts])


def _check_whole(file: Path) -> None:
    """Compares the length that the header promises: libsndfile reads a file that was cut off without a word."""
    with file.open("rb") as handle:
        head = handle.read(12)
        size = handle.seek(0, 2)
    if not size:
        raise UnreadableClipError("empty")
    promised = int.from_bytes(head[4:8], "little")
    # A recorder that could not seek back leaves the size at 0 or at its largest value.
    if head[:4] == b"RIFF" and promised not in {0, 0xFFFFFFFF} and promised + 8 > size:
        raise UnreadableClipError("cut off")


def _resample(mono: NDArray[np.float32], own_hz: int, rate_hz: int) -> NDArray[np.float32]:
    import torch  # noqa: PLC0415 # a second to import, and hardly any data set needs it

    from models.data.torchaudio_on_cpu import resample  # noqa: PLC0415

    # The filter grows with the ratio's terms: at 15,999 Hz it would take a gigabyte.
    ratio = Fraction(own_hz, rate_hz).limit_denominator(1000)
    resampled: NDArray[np.float32] = resample(
        torch.from_numpy(mono), ratio.numerator, ratio.denominator
    ).numpy()
    return resampled
