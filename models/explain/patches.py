"""Small spectrograms side by side."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import SubFigure
from torch import Tensor

from models.explain.mels import BANDS, centres_hz

MOST = 24
_COLUMNS = 8


def draw_patches(
    figure: SubFigure,
    patches: Sequence[tuple[str, Tensor, tuple[float, float]]],
    times_ms: tuple[float, float],
    ticks_ms: Sequence[int],
    colours: Any,
) -> None:
    """Draws patches with their titles; kHz at the first panel, ms below the last row.

    Args:
        figure: where.
        patches: title, (bands, frames), and the values of the first and the last colour.
        times_ms: what the frames reach over.
        ticks_ms: times that are named.
        colours: a colour map.
    """
    grid = figure.subplots(-(-len(patches) // _COLUMNS) or 1, _COLUMNS, squeeze=False)
    for panel, (title, values, (low, high)) in zip(grid.flat, patches, strict=False):
        panel.imshow(values.numpy(), cmap=colours, vmin=low, vmax=high, origin="lower", aspect="auto",
                     extent=(*times_ms, 0, BANDS))  # fmt: skip
        panel.set_title(title, size=9)
        panel.set_xticks([])
        panel.set_yticks([])
    for panel in list(grid.flat)[len(patches) :]:
        panel.remove()
    hz = centres_hz()
    at = [int((hz - khz * 1000).abs().argmin()) for khz in (0.5, 2)]
    grid[0, 0].set_yticks([place + 0.5 for place in at], labels=["0.5", "2"], size=8)
    grid[0, 0].set_ylabel("kHz", size=9)
    labels = [*map(str, ticks_ms[:-1]), "ms"]
    grid[-1, 0].set_xticks(ticks_ms, labels=labels, size=8)
