"""Sound files of noise."""

from pathlib import Path

import numpy as np
import soundfile

from models.brain.sounds import RATE_HZ


def write_sound(file: Path, seconds: float, seed: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    sound = 0.1 * np.random.default_rng(seed).normal(size=round(seconds * RATE_HZ))
    soundfile.write(file, sound, RATE_HZ, subtype="PCM_16")
