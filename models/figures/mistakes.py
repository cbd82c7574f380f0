"""The pairs of words that are confused most often."""

import numpy as np
from matplotlib.figure import Figure

from models.figures.confusion import accuracies
from models.figures.facts import Facts
from models.figures.style import ACCENT, CONTRAST, FAINT, INK, picture, quiet, shorten

_WIDTH_PX, _HEIGHT_PX = 1000, 640
_MOST = 12


@quiet
def draw(facts: Facts) -> Figure | None:
    """Unordered pairs with the errors of both directions; None also for a run without errors."""
    if facts.result is None or facts.matrix is None:
        return None
    matrix, words = np.array(facts.matrix), facts.result.words
    pairs = sorted(
        ((a, b) for b in range(len(words)) for a in range(b) if matrix[a, b] + matrix[b, a]),
        key=lambda pair: matrix[pair] + matrix[pair[::-1]],
        reverse=True,
    )[:_MOST]
    if not pairs:
        return None
    figure = picture(
        _WIDTH_PX, _HEIGHT_PX, "Words most often confused", facts.origin, accuracies(facts.result)
    )
    axes = figure.subplots()
    there = np.array([matrix[pair] for pair in pairs])
    back = np.array([matrix[pair[::-1]] for pair in pairs])
    rows = np.arange(len(pairs))
    first = axes.barh(rows, there, color=ACCENT, label="label first, prediction second")
    second = axes.barh(rows, back, left=there, color=CONTRAST, label="label second, prediction first")
    # A number in too narrow a bar would hide it.
    least = 0.02 * (there + back).max()
    for bars in (first, second):
        axes.bar_label(
            bars,
            fmt=lambda clips: f"{clips:.0f}" if clips > least else "",
            label_type="center",
            color="white",
        )
    axes.set_yticks(rows, labels=[" / ".join(shorten(words[word], 12) for word in pair) for pair in pairs])
    axes.invert_yaxis()
    axes.set_xlabel("test clips")
    axes.tick_params(length=0)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.spines[:].set_visible(False)
    axes.grid(axis="x", color=FAINT)
    axes.set_axisbelow(True)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=2)
    return figure
