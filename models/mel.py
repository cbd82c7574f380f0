"""The mel scale, as far apart as tones sound (O'Shaughnessy, Speech Communication, 1987)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating]


def mel(frequencies_hz: ArrayLike) -> Floats:
    """2595 log10(1 + f / 700)."""
    return np.asarray(2595 * np.log10(1 + np.asarray(frequencies_hz) / 700))


def hertz(mels: ArrayLike) -> Floats:
    """The inverse of `mel`."""
    return np.asarray(700 * (10 ** (np.asarray(mels) / 2595) - 1))
