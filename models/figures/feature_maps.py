"""One clip through the network: waveform, spectrogram and the output of every layer."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.figures.analysis import Analysis, Layer
from models.figures.facts import Facts
from models.figures.spectra import spectrogram_db
from models.figures.style import ACCENT, INTENSITY, picture, quiet, shorten

_WIDTH_PX, _HEIGHT_PX = 1000, 990


@quiet
def draw(facts: Facts) -> Figure | None:
    """All on one axis of time."""
    analysis = facts.analysis
    if analysis is None:
        return None
    clip = analysis.clip
    figure = picture(
        _WIDTH_PX,
        _HEIGHT_PX,
        f"A clip through the network: label '{shorten(clip.label, 12)}', prediction '{shorten(clip.prediction, 12)}'",
        f"{facts.origin} · {shorten(clip.name, 40)}",
        "Layers: channels from low (bottom) to high centre frequency; from 0 (dark) to the layer's most (bright)",
    )
    panels = figure.subplots(
        2 + len(analysis.layers), 1, sharex=True, height_ratios=[1, 2] + [1.3] * len(analysis.layers)
    )
    rate_hz = analysis.layers[0].rate_hz
    _waveform(panels[0], clip.waveform, rate_hz)
    _spectrogram(panels[1], clip.waveform, rate_hz)
    for axes, layer in zip(panels[2:], analysis.layers, strict=True):
        _layer(axes, analysis, layer)
    for axes in panels:
        axes.spines[:].set_visible(False)
        axes.yaxis.label.set(rotation=0, ha="right", va="center")
    panels[-1].set_xlim(0, len(clip.waveform) / rate_hz)
    panels[-1].set_xlabel("time (s)")
    figure.align_ylabels(panels)
    return figure


def _waveform(axes: Axes, waveform: np.ndarray, rate_hz: float) -> None:
    axes.plot(np.arange(len(waveform)) / rate_hz, waveform, color=ACCENT, linewidth=0.6)
    axes.set_ylabel("waveform")
    axes.set_yticks([])


def _spectrogram(axes: Axes, waveform: np.ndarray, rate_hz: float) -> None:
    axes.imshow(
        spectrogram_db(waveform),
        cmap=INTENSITY,
        origin="lower",
        extent=(0, len(waveform) / rate_hz, 0, rate_hz / 2000),
        aspect="auto",
    )
    axes.set_ylabel("spectrogram\n(kHz, 70 dB)")
    ticks_khz = [0, rate_hz / 4000, rate_hz / 2000]
    axes.set_yticks(ticks_khz, labels=[f"{tick:g}" for tick in ticks_khz])


def _layer(axes: Axes, analysis: Analysis, layer: Layer) -> None:
    activations = layer.activations[analysis.order(layer)]
    # Whole columns as wide as the panel, so that only channels and fast layers are smoothed to pixels.
    columns = np.repeat(activations, -(-_WIDTH_PX // activations.shape[1]), axis=1)
    axes.imshow(
        columns,
        cmap=INTENSITY,
        vmin=0,
        vmax=float(np.percentile(activations, 99.8)) or 1.0,
        origin="lower",
        extent=(*analysis.seconds(layer), 0, layer.channels),
        aspect="auto",
    )
    axes.set_facecolor("white")
    axes.set_ylabel(f"layer {layer.number}\n{layer.channels} x {activations.shape[1]}")
    axes.set_yticks([])
