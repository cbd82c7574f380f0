"""What a trained network was measured to do: the content of `analysis.npz`."""

import zipfile
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.facts import broken
from models.run_folder import RunFolder

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """One convolution with its pooling and ReLU.

    Attributes:
        number: 1 is the layer that hears the waveform.
        rate_hz: sampling rate at the layer's input.
        weights: (channels, input channels, taps); None from the third layer on.
        response: (channels, tones) mean over time of the output for each tone.
        activations: (channels, time) the output for the clip.
    """

    number: int
    rate_hz: float
    weights: Floats | None
    response: Floats
    activations: Floats


@dataclass(frozen=True)
class Clip:
    """The test clip whose way through the network was recorded; `waveform` has one second in [-1, 1]."""

    name: str
    actual: str
    heard: str
    waveform: Floats


@dataclass(frozen=True)
class Analysis:
    """All layers, the frequencies of the tones that they answered to, and one clip."""

    tones_hz: Floats
    layers: list[Layer]
    clip: Clip

    @classmethod
    def read(cls, folder: RunFolder) -> Self | None:
        """The analysis, or None while there is none.

        Raises:
            BrokenRunError: `analysis.npz` lacks something or is no such file.
        """
        try:
            with np.load(folder.analysis_file) as arrays:
                numbers = range(1, 1 + sum(key.endswith("_response") for key in arrays.files))
                return cls(
                    arrays["tones_hz"],
                    [_layer(number, arrays) for number in numbers],
                    Clip(
                        str(arrays["clip_name"]),
                        str(arrays["clip_actual"]),
                        str(arrays["clip_heard"]),
                        arrays["clip_waveform"],
                    ),
                )
        except FileNotFoundError:
            return None
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise broken(folder, folder.analysis_file.name, error) from error


def _layer(number: int, arrays: "np.lib.npyio.NpzFile") -> Layer:
    return Layer(
        number,
        float(arrays[f"conv{number}_rate_hz"]),
        arrays.get(f"conv{number}_weights"),
        arrays[f"conv{number}_response"],
        arrays[f"conv{number}_map"].astype(np.float32),
    )
