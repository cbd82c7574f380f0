"""Every kernel of the second layer, as a block of colours."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.figures.analysis import Floats
from models.figures.facts import Facts
from models.figures.style import DIVERGING, picture, quiet

_WIDTH_PX, _HEAD_PX, _FOOT_PX, _LEFT_PX = 1000, 100, 50, 60
_ROOM_PX = 800


@quiet
def draw(facts: Facts) -> Figure | None:
    """A row a channel of layer 2, a column a filter of layer 1, and in each crossing the taps."""
    if facts.analysis is None or facts.analysis.kernels is None:
        return None
    second = facts.analysis.layers[1]
    by_frequency = np.ix_(facts.analysis.order(second), np.argsort(facts.analysis.filter_centres_hz()))
    weights = facts.analysis.kernels[by_frequency]
    outputs, inputs, taps = weights.shape
    image = _blocks(weights)
    height_px, width_px = np.minimum(image.shape, _ROOM_PX)
    full_height_px = _HEAD_PX + height_px + _FOOT_PX
    figure = picture(
        _WIDTH_PX,
        full_height_px,
        f"The {outputs} x {inputs} kernels of layer 2",
        facts.origin,
        f"In each block {taps} taps at {second.rate_hz / 1000:.3g} kHz; rows and columns from low to high frequency",
    )
    figure.set_layout_engine("none")
    axes = figure.add_axes(
        (
            _LEFT_PX / _WIDTH_PX,
            _FOOT_PX / full_height_px,
            width_px / _WIDTH_PX,
            height_px / full_height_px,
        )
    )
    limit = float(np.percentile(np.abs(weights), 99.5)) or 1.0
    drawn = axes.imshow(image, cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto")
    axes.set_xlabel(f"the {inputs} filters of layer 1, by their centre frequency →")
    axes.set_ylabel(f"← the {outputs} channels of layer 2, by their measured centre frequency")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    bar = figure.add_axes(((_LEFT_PX + width_px + 20) / _WIDTH_PX, 0.3, 0.015, 0.35))
    figure.colorbar(drawn, cax=bar, label="weight (0.5 % are beyond the ends)", extend="both")
    return figure


def _blocks(weights: Floats) -> NDArray[np.float64]:
    """An image of kernels (outputs, inputs, taps) in whole pixels, NaN in the gaps between them.

    At 128 x 128 x 5 weights anything but whole pixels would blur.
    """
    outputs, inputs, taps = weights.shape
    across_px, down_px = max(2, _ROOM_PX // inputs), max(2, _ROOM_PX // outputs)
    tap_px = max(1, (across_px - 1) // taps)
    gap_px, row_gap_px = max(1, across_px - taps * tap_px), max(1, down_px // 6)
    blocks = np.full((outputs, down_px, inputs, taps * tap_px + gap_px), np.nan)
    blocks[:, :-row_gap_px, :, :-gap_px] = np.repeat(weights, tap_px, axis=2)[:, None]
    return blocks.reshape(outputs * down_px, -1)
