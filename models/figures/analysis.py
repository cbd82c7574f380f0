"""What a trained network was measured to do: the content of `analysis.npz`."""

import zipfile
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.facts import broken
from models.figures.spectra import centroid, magnitude_response
from models.mel import mel
from models.run_folder import RunFolder

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """One convolution with its pooling and ReLU.

    Attributes:
        number: 1 is the layer that hears the waveform.
        rate_hz: sampling rate at the layer's input.
        response: (channels, tones) mean over time of the output for each tone.
        activations: (channels, time) the output for the clip.
    """

    number: int
    rate_hz: float
    response: Floats
    activations: Floats

    @property
    def channels(self) -> int:
        return len(self.response)


@dataclass(frozen=True)
class Clip:
    """The test clip whose way through the network was recorded; `waveform` has one second in [-1, 1]."""

    name: str
    actual: str
    heard: str
    waveform: Floats


@dataclass(frozen=True)
class Analysis:
    """What was measured on a network.

    Attributes:
        tones_hz: (tones,), evenly spaced in mel.
        layers: all convolutions.
        filters: (channels, taps) the weights of the first layer.
        kernels: (channels, input channels, taps) the weights of the second, None where there is one only.
        clip: the clip that activations belong to.
    """

    tones_hz: Floats
    layers: list[Layer]
    filters: Floats
    kernels: Floats | None
    clip: Clip

    def filter_centres_hz(self) -> Floats:
        """Centre frequency of each first-layer filter: the centroid of its power response, (channels,)."""
        rate_hz = self.layers[0].rate_hz
        frequencies_hz = np.linspace(0, rate_hz / 2, 512)
        return centroid(frequencies_hz, magnitude_response(self.filters, rate_hz, frequencies_hz) ** 2)

    def order(self, layer: Layer) -> NDArray[np.intp]:
        """The layer's channels from low to high centre of what they answer above their least, in mel.

        Channels that answer all tones alike have no centre and come last.
        """
        answer = layer.response - layer.response.min(axis=1, keepdims=True)
        return np.argsort(centroid(mel(self.tones_hz), answer))

    def seconds(self, layer: Layer) -> tuple[float, float]:
        """Where the layer's output for the clip begins and ends in time.

        A pool leaves out less than one of its windows, at the end; what is missing beyond that, a
        convolution without padding left out on both sides alike.
        """
        if layer.number == 1:
            start, inputs, pool_before = 0.0, len(self.clip.waveform), 1.0
        else:
            before = self.layers[layer.number - 2]
            start, inputs = self.seconds(before)[0], before.activations.shape[1]
            pool_before = before.rate_hz / layer.rate_hz
        outputs = layer.activations.shape[1]
        if layer.number < len(self.layers):
            pool = layer.rate_hz / self.layers[layer.number].rate_hz
        else:
            pool = 1.0 if outputs == inputs else pool_before
        missing = inputs - outputs * pool
        if missing >= pool:
            start += missing / 2 / layer.rate_hz
        return start, start + outputs * pool / layer.rate_hz

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
                    arrays["conv1_weights"][:, 0],
                    arrays["conv2_weights"] if len(numbers) > 1 else None,
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
        arrays[f"conv{number}_response"],
        # What was too large for its 16 bits is infinite there.
        np.nan_to_num(arrays[f"conv{number}_map"].astype(np.float32), posinf=65504),
    )
