"""Every filter of the first layer, as weights over time."""

import numpy as np
from matplotlib.figure import Figure

from models.figures.analysis import Analysis
from models.figures.facts import Facts
from models.figures.style import ACCENT, CONTRAST, FAINT, SOFT, picture, quiet

_WIDTH_PX = 1000
_REACH = 0.38
"""Of a cell, from its zero line to the largest weight; the rest is for the channel's number."""


def numbers(analysis: Analysis) -> list[dict[str, object]]:
    """The filters as plain numbers, from low to high centre frequency; `centre_hz` is None for one of zeros."""
    centres_hz = analysis.filter_centres_hz()
    return [
        {
            "channel": int(channel),
            "centre_hz": round(float(centres_hz[channel]), 1) if np.isfinite(centres_hz[channel]) else None,
            "weights": [float(f"{weight:.4g}") for weight in analysis.filters[channel]],
        }
        for channel in np.argsort(centres_hz)
    ]


@quiet
def draw(facts: Facts) -> Figure | None:
    """A cell a filter, all on one scale, from low to high centre frequency."""
    if facts.analysis is None:
        return None
    first = facts.analysis.layers[0]
    centres_hz = facts.analysis.filter_centres_hz()
    order = np.argsort(centres_hz)
    weights = facts.analysis.filters[order]
    count, taps = weights.shape
    columns = next((side for side in (4, 8, 16) if count <= side * side), 32)
    rows = -(-count // columns)
    figure = picture(
        _WIDTH_PX,
        min(980, 160 + max(90, 900 // columns) * rows),
        f"The {count} filters of layer 1",
        facts.origin,
        f"Weights of {taps} taps ({1000 * taps / first.rate_hz:.2g} ms), from low to high centre frequency"
        f"{'; small: channel, from 0' if columns <= 8 else ''}",
    )
    axes = figure.subplots()
    column, row = np.arange(count) % columns, np.arange(count) // columns
    largest = float(np.abs(weights).max()) or 1.0
    step = 0.84 / taps
    left = column[:, None] + 0.08 + step * np.arange(taps)
    axes.hlines(-row, column + 0.05, column + 0.95, color=FAINT)
    axes.bar(
        left.ravel(),
        (weights * _REACH / largest).ravel(),
        step * 0.86,
        bottom=np.repeat(-row, taps),
        align="edge",
        color=np.where(weights.ravel() > 0, ACCENT, CONTRAST),
    )
    if columns <= 8:
        for position, channel in enumerate(order):
            axes.text(column[position] + 0.06, 0.5 - row[position], channel, size=8, color=SOFT, va="top")
    kilohertz = [centres_hz[order[row == number]] / 1000 for number in range(rows)]
    axes.set_yticks(-np.arange(rows), labels=[f"{khz[0]:.1f}-{khz[-1]:.1f}" for khz in kilohertz])
    axes.set_ylabel("centre frequency (kHz)")
    scale = axes.secondary_yaxis("right")
    scale.set_yticks([-_REACH, 0, _REACH], labels=[f"{-largest:+.2g}", "0", f"{largest:+.2g}"])
    scale.set_ylabel("weight (every cell has this scale)")
    axes.set_xticks([])
    axes.set_xlim(0, columns)
    axes.set_ylim(0.5 - rows, 0.5)
    for sided in (axes, scale):
        sided.tick_params(length=0)
        sided.spines[:].set_visible(False)
    return figure
