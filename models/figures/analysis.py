"""What a trained network was measured to do: the content of `analysis.npz`."""

import zipfile
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.facts import broken
from models.figures.spectra import centroid, magnitude_response, mel
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
    """All layers, the frequencies of the tones that they answered to, and one clip."""

    tones_hz: Floats
    layers: list[Layer]
    clip: Clip

    def filter_centres_hz(self) -> Floats:
        """Centre frequency of each first-layer filter: the centroid of its power response, (channels,)."""
        first = self.layers[0]
        if first.weights is None:
            raise KeyError("conv1_weights")
        frequencies = np.linspace(0, first.rate_hz / 2, 512)
        return centroid(frequencies, magnitude_response(first.weights[:, 0], first.rate_hz, frequencies) ** 2)

    def order(self, layer: Layer) -> NDArray[np.intp]:
        """The layer's channels from low to high measured centre frequency; those without any come last."""
        return np.argsort(self.measured_centres_mel(layer))

    def measured_centres_mel(self, layer: Layer) -> Floats:
        """Centre of each channel's response above its least, in mel, in which the tones are evenly spaced.

        (channels,), NaN for a channel that answers all tones alike.
        """
        answer = layer.response - layer.response.min(axis=1, keepdims=True)
        return centroid(mel(self.tones_hz), answer)

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
