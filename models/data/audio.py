"""One sound file as one second of 16 kHz mono."""

import math
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 16000
SAMPLES = 16000


class UnreadableClipError(Exception):
    """The file is not a sound that can be used; the message says why in a few words."""


def read_clip(file: Path) -> tuple[NDArray[np.int16], list[str]]:
    """Reads a clip and says what had to be changed to fit it into a second of 16 kHz mono.

    Returns:
        The samples (at most 16000, int16), and any of "resampled", "mixed to mono" and "cut to its middle second".

    Raises:
        UnreadableClipError: it is empty, cut off or damaged, or has a sampling rate that no microphone has.
    """
    changes = []
    try:
        _check_whole(file)
        with soundfile.SoundFile(file) as sound:
            rate_hz = sound.samplerate
            if sound.frames > rate_hz:
                sound.seek((sound.frames - rate_hz) // 2)
                changes.append("cut to its middle second")
            if rate_hz == RATE_HZ and sound.channels == 1 and sound.subtype == "PCM_16":
                samples = sound.read(rate_hz, dtype="int16")
                if not len(samples):
                    raise UnreadableClipError("empty")
                return samples, changes
            signal = sound.read(rate_hz, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError):
        raise UnreadableClipError("not a readable WAV file") from None
    if not len(signal):
        raise UnreadableClipError("empty")
    if not np.isfinite(signal).all():
        raise UnreadableClipError("has samples that are not numbers")
    if signal.shape[1] > 1:
        changes.append("mixed to mono")
    mono = signal.mean(axis=1)
    if rate_hz != RATE_HZ:
        changes.append("resampled")
        mono = _resample(mono, rate_hz)
    return np.rint(np.clip(mono, -1, 1) * 32767).astype(np.int16)[:SAMPLES], changes


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


def _resample(mono: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    # The filter grows with the ratio's terms: at 15,999 Hz it would take a gigabyte.
    if math.gcd(rate_hz, RATE_HZ) < 25:
        raise UnreadableClipError(f"has a sampling rate of {rate_hz} Hz")
    import torch  # noqa: PLC0415 # a second to import, and hardly any data set needs it

    from models.data.torchaudio_on_cpu import resample  # noqa: PLC0415

    resampled: NDArray[np.float32] = resample(torch.from_numpy(mono), rate_hz, RATE_HZ).numpy()
    return resampled
