"""Two confusion matrices and what changed between them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from models.compare import Comparison
from models.figures.confusion import ERRORS, name_words
from models.figures.style import ACCENT, CONTRAST, DIVERGING, FAINT, INK, RULE, picture, quiet, shorten
from models.result import Matrix
from models.significance import Significance

_WIDTH_PX, _HEIGHT_PX = 1150, 865
_MOST = 10


@quiet
def draw(comparison: Comparison) -> Figure:
    """The difference large, both matrices small beside it, and the pairs of words that changed most."""
    a, b = comparison.a, comparison.b
    figure = picture(
        _WIDTH_PX,
        _HEIGHT_PX,
        f"Accuracy {a.accuracy:.4f} → {b.accuracy:.4f}: {in_words(comparison.significance)}",
        f"A: {shorten(a.title, 40)} · {a.name} ({a.clips:,} clips)      "
        f"B: {shorten(b.title, 40)} · {b.name} ({b.clips:,} clips)",
        *comparison.notes,
    )
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.5, 1]).flat
    upper, lower = right.subfigures(2, 1, squeeze=False, height_ratios=[1, 1.7]).flat
    a_axes, b_axes = upper.subplots(1, 2)
    _difference(left.subplots(), comparison)
    most = max(_errors(a.confusion_matrix).max(), _errors(b.confusion_matrix).max(), 1)
    for axes, side, letter in ((a_axes, a, "A"), (b_axes, b, "B")):
        axes.imshow(_errors(side.confusion_matrix), cmap=ERRORS, norm=PowerNorm(0.5, 0, most))
        axes.set_title(f"errors of {letter}")
        axes.set_facecolor(RULE)
        axes.spines[:].set_visible(False)
        axes.set_xticks([])
        axes.set_yticks([])
    _pairs(lower.subplots(), comparison)
    return figure


def in_words(significance: Significance) -> str:
    p_value = "p < 0.0001" if significance.p_value < 0.0001 else f"p = {significance.p_value:.2g}"
    return f"{significance.test}, {p_value}"


def _errors(matrix: Matrix) -> np.ma.MaskedArray:
    return np.ma.masked_array(matrix, np.eye(len(matrix), dtype=bool))


def _difference(axes: Axes, comparison: Comparison) -> None:
    same_clips = all(
        sum(a) == sum(b)
        for a, b in zip(comparison.a.confusion_matrix, comparison.b.confusion_matrix, strict=True)
    )
    matrix = np.array(comparison.difference if same_clips else comparison.difference_percent)
    errors = matrix - np.diag(matrix.diagonal())
    # The scale is that of the errors: the diagonal sums up their row and may go beyond it.
    limit = np.abs(errors).max() or 1
    axes.imshow(matrix, cmap=DIVERGING, vmin=-limit, vmax=limit)
    name_words(axes, comparison.words)
    for row, column in np.argwhere(np.abs(matrix) >= (1 if same_clips else 0.5)):
        value = matrix[row, column]
        axes.text(
            column, row, f"{value:+.0f}",
            ha="center", va="center", size=min(10, 160 / len(matrix)),
            weight="bold" if row == column else "normal",
            color="white" if abs(value) > 0.33 * limit else INK,
        )  # fmt: skip
    axes.set_title(
        f"B less A, in {'clips' if same_clips else '% of the label'} (blue: more in B, orange: more in A)"
    )


def _pairs(axes: Axes, comparison: Comparison) -> None:
    pairs = comparison.pairs[:_MOST]
    rows = np.arange(len(pairs))
    before, after = [pair.errors_a for pair in pairs], [pair.errors_b for pair in pairs]
    axes.hlines(rows, before, after, color=RULE, linewidth=4)
    axes.plot(before, rows, "o", color=CONTRAST, label="A", markersize=8)
    axes.plot(after, rows, "D", color=ACCENT, label="B", markersize=7)
    labels = [
        f"{' / '.join(shorten(word, 10) for word in pair.words)}  {pair.errors_a} → {pair.errors_b}"
        for pair in pairs
    ]
    axes.set_yticks(rows, labels=labels)
    axes.invert_yaxis()
    axes.set_xlim(left=-1)
    axes.set_xlabel("clips of one with the other as prediction")
    axes.set_title("most changed")
    axes.tick_params(length=0)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.spines[:].set_visible(False)
    axes.grid(axis="x", color=FAINT)
    axes.set_axisbelow(True)
    if pairs:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, ncols=2, columnspacing=1)
