"""What each channel of each layer answers to: measured with tones, beside the mel scale."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.figures.analysis import Analysis, Layer
from models.figures.facts import Facts
from models.figures.style import CONTRAST, INTENSITY, RULE, SOFT, halo, picture, quiet
from models.mel import mel

_WIDTH_PX, _HEIGHT_PX = 1000, 980
_TICKS_HZ = np.array([100, 500, 1000, 2000, 4000])


@quiet
def draw(facts: Facts) -> Figure | None:
    """A panel a layer."""
    analysis = facts.analysis
    if analysis is None:
        return None
    figure = picture(
        _WIDTH_PX,
        _HEIGHT_PX,
        "Which tones each channel answers to",
        facts.origin,
        "Mean output for steady tones, each channel from its least (dark) to its greatest (bright),",
        "sorted by centre frequency. Dashed: the mel scale. Grey: answers to all tones alike.",
    )
    columns = math.ceil(math.sqrt(len(analysis.layers)))
    rows = -(-len(analysis.layers) // columns)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes, layer in zip(grid.flat, analysis.layers, strict=False):
        _panel(axes, analysis, layer)
    for axes in grid.flat[len(analysis.layers) :]:
        axes.remove()
    figure.supylabel("frequency (kHz, spaced as the mel scale)", size=11, color=SOFT)
    figure.supxlabel("channel, by centre frequency", size=11, color=SOFT)
    return figure


def _panel(axes: Axes, analysis: Analysis, layer: Layer) -> None:
    order = analysis.order(layer)
    response = layer.response[order]
    answer = response - response.min(axis=1, keepdims=True)
    greatest = answer.max(axis=1, keepdims=True)
    silent = np.broadcast_to(greatest == 0, answer.shape)
    shown = np.ma.masked_array(answer / np.where(greatest > 0, greatest, 1), silent)
    low, high = mel(analysis.tones_hz[[0, -1]])
    axes.set_facecolor(RULE)
    axes.imshow(
        shown.T,
        cmap=INTENSITY,
        vmin=0,
        vmax=1,
        origin="lower",
        extent=(0.5, layer.channels + 0.5, low, high),
        aspect="auto",
        interpolation="nearest",
    )
    axes.plot(
        [0.5, layer.channels + 0.5], [low, high],
        color=CONTRAST, linestyle="--", linewidth=1.5, path_effects=halo(),
    )  # fmt: skip
    axes.set_title(f"layer {layer.number}: {layer.channels} channels")
    axes.set_yticks(mel(_TICKS_HZ), labels=[f"{hz / 1000:g}" for hz in _TICKS_HZ])
    axes.set_ylim(low, high)
    axes.set_xticks([1, layer.channels])
    axes.spines[:].set_visible(False)
