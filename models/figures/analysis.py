"""Measurements on a trained network: the content of `analysis.npz`."""

import io
import zipfile
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from models.figures.spectra import centroid, magnitude_response
from models.mel import mel
from models.run_folder import RunFolder
from models.run_reader import parsed

Floats = NDArray[np.float32]

MOST_BYTES = 512 << 20
MOST_UNPACKED_BYTES = 2 << 30


@dataclass(frozen=True)
class Layer:
    """One convolution with its pooling and ReLU.

    Attributes:
        number: 1 is the layer whose input is the waveform.
        rate_hz: sampling rate at the layer's input.
        pool: samples at its input for one at its output.
        response: (channels, tones) mean over time of the output for each tone.
        activations: (channels, time) the output for the clip.
    """

    number: int
    rate_hz: float
    pool: float
    response: Floats
    activations: Floats

    @property
    def channels(self) -> int:
        return len(self.response)


@dataclass(frozen=True)
class Clip:
    """The clip that was put through the network; `waveform` is one second in [-1, 1]."""

    name: str
    label: str
    prediction: str
    waveform: Floats


@dataclass(frozen=True)
class Analysis:
    """The measurements on a network.

    Attributes:
        tones_hz: (tones,), evenly spaced in mel.
        layers: all convolutions.
        filters: (channels, taps) the weights of the first layer.
        kernels: (channels, input channels, taps) the weights of the second, None where there is none.
        clip: the clip of the activations.
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
        """The layer's channels from low to high centre (in mel) of their response above its minimum.

        Channels with the same response to all tones have no centre and come last.
        """
        answer = layer.response - layer.response.min(axis=1, keepdims=True)
        return np.argsort(centroid(mel(self.tones_hz), answer))

    def seconds(self, layer: Layer) -> tuple[float, float]:
        """The time at which the layer's output for the clip begins and ends.

        A pool drops less than one of its windows, at the end; a convolution without padding drops the
        rest, half of it on each side.
        """
        if layer.number == 1:
            start, inputs = 0.0, float(len(self.clip.waveform))
        else:
            before = self.layers[layer.number - 2]
            start = self.seconds(before)[0]
            inputs = before.activations.shape[1] * layer.rate_hz * before.pool / before.rate_hz
        outputs, pool = layer.activations.shape[1], layer.pool
        missing = inputs - outputs * pool
        if missing >= pool:
            start += missing / 2 / layer.rate_hz
        return start, start + outputs * pool / layer.rate_hz

    @classmethod
    def read(cls, folder: RunFolder) -> Self | None:
        """The analysis, or None where there is none.

        Raises:
            BrokenRunError: `analysis.npz` cannot be read.
        """
        return parsed(folder, folder.analysis_file, cls._parsed, MOST_BYTES)

    @classmethod
    def _parsed(cls, content: bytes) -> Self:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_UNPACKED_BYTES:
                raise ValueError(f"it unpacks to more than {MOST_UNPACKED_BYTES >> 20} MiB")
        with np.load(io.BytesIO(content)) as arrays:
            numbers = range(1, 1 + sum(key.endswith("_response") for key in arrays.files))
            analysis = cls(
                arrays["tones_hz"],
                [_layer(number, arrays) for number in numbers],
                arrays["conv1_weights"][:, 0],
                arrays["conv2_weights"] if "conv2_weights" in arrays.files else None,
                Clip(
                    str(arrays["clip_name"]),
                    str(_either(arrays, "clip_label", "clip_actual")),
                    str(_either(arrays, "clip_prediction", "clip_heard")),
                    arrays["clip_waveform"],
                ),
            )
        analysis.check()
        return analysis

    def check(self) -> None:
        """Raises: ValueError: the arrays do not fit each other, or hold what is no number."""
        first, *others = self.layers
        fits = [
            self.tones_hz.ndim == self.clip.waveform.ndim == 1,
            self.filters.shape[:1] == (first.channels,),
            self.kernels is None or self.kernels.shape[:2] == (others[0].channels, first.channels),
            *(layer.response.shape == (layer.channels, len(self.tones_hz)) for layer in self.layers),
            *(layer.activations.shape[:1] == (layer.channels,) for layer in self.layers),
            *(0 < layer.rate_hz < 1e9 and 0 < layer.pool < 1e9 for layer in self.layers),
            *(layer.activations.ndim == 2 and layer.activations.size > 0 for layer in self.layers),
        ]
        if not all(fits):
            raise ValueError("its arrays do not fit each other")
        arrays = [self.tones_hz, self.filters, self.clip.waveform, *(layer.response for layer in self.layers)]
        arrays += [] if self.kernels is None else [self.kernels]
        if not all(array.size and np.isfinite(array).all() for array in arrays):
            raise ValueError("it holds values that are no numbers")


def _layer(number: int, arrays: NpzFile) -> Layer:
    return Layer(
        number,
        float(arrays[f"conv{number}_rate_hz"]),
        _pool(number, arrays),
        arrays[f"conv{number}_response"],
        # Values that were too large for 16 bits are infinite there.
        np.nan_to_num(arrays[f"conv{number}_map"].astype(np.float32), posinf=65504),
    )


def _pool(number: int, arrays: NpzFile) -> float:
    """Earlier releases left it to be worked out: no layer stood between two convolutions."""
    if f"conv{number}_pool" in arrays.files:
        return float(arrays[f"conv{number}_pool"])
    rate_hz = arrays[f"conv{number}_rate_hz"]
    if f"conv{number + 1}_rate_hz" in arrays.files:
        return float(rate_hz / arrays[f"conv{number + 1}_rate_hz"])
    inputs = arrays[f"conv{number - 1}_map" if number > 1 else "clip_waveform"].shape[-1]
    if number == 1 or inputs == arrays[f"conv{number}_map"].shape[-1]:
        return 1.0
    return float(arrays[f"conv{number - 1}_rate_hz"] / rate_hz)


def _either(arrays: NpzFile, key: str, old: str) -> Floats:
    """The array `key`, which earlier releases called `old`."""
    array: Floats = arrays[key if key in arrays.files else old]
    return array
