"""The confusion matrix: labels against predictions, in clips or in per cent."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.figures.facts import Facts
from models.figures.style import CONTRAST, FAINT, INK, SOFT, picture, quiet, shorten
from models.result import ProgramResult, RunResult

ERRORS = LinearSegmentedColormap.from_list("errors", ["white", "#fddbb5", "#f08b3c", CONTRAST, "#6b2000"])
"""From white for none, growing darker steadily, so that it reads in grey too."""

_WIDTH_PX, _HEIGHT_PX = 1000, 980


def counts(facts: Facts) -> Figure | None:
    """Clips a cell."""
    if facts.result is None or facts.matrix is None:
        return None
    matrix = np.array(facts.matrix)
    return _draw(
        facts, facts.result, matrix, texts=np.char.mod("%d", matrix), unit="as counts", beside=_recall(matrix)
    )


def normalised(facts: Facts) -> Figure | None:
    """Per cent of the clips of a label."""
    if facts.result is None or facts.matrix is None:
        return None
    matrix = np.array(facts.matrix)
    clips = matrix.sum(axis=1)
    per_cent = 100 * matrix / np.maximum(clips, 1)[:, None]
    texts = np.where(per_cent < 9.95, np.char.mod("%.1f", per_cent), np.char.mod("%.0f", per_cent))
    return _draw(
        facts,
        facts.result,
        per_cent,
        texts=texts,
        unit="in % of the label",
        beside=[f"{n:,} clips" for n in clips],
    )


def _recall(matrix: NDArray[np.int64]) -> list[str]:
    clips = matrix.sum(axis=1)
    return [
        f"{right / n:.1%} right" if n else "no clips"
        for right, n in zip(matrix.diagonal(), clips, strict=True)
    ]


@quiet
def _draw(
    facts: Facts,
    result: RunResult | ProgramResult,
    matrix: NDArray[np.float64] | NDArray[np.int64],
    *,
    texts: NDArray[np.str_],
    unit: str,
    beside: list[str],
) -> Figure:
    figure = picture(
        _WIDTH_PX,
        _HEIGHT_PX,
        accuracies(result),
        facts.origin,
        f"Test clips {unit}; colour marks the errors, the darker the more",
    )
    axes = figure.subplots()
    right = np.eye(len(matrix), dtype=bool)
    most = matrix[~right].max(initial=0)
    # The square root keeps a single error visible beside the most common one.
    scale = PowerNorm(0.5, vmin=0, vmax=max(most, 1e-9))
    axes.imshow(np.ma.masked_array(matrix, right), cmap=ERRORS, norm=scale)
    name_words(axes, result.words)
    size = min(12, 180 / len(matrix))
    for row, column in np.argwhere(matrix):
        axes.text(
            column, row, texts[row, column],
            ha="center", va="center", size=size, weight="bold" if row == column else "normal",
            color="white" if row != column and matrix[row, column] > 0.45 * most else INK,
        )  # fmt: skip
    recall = axes.secondary_yaxis("right")
    recall.set_yticks(range(len(beside)), labels=beside, size=size)
    recall.tick_params(length=0)
    recall.spines["right"].set_visible(False)
    return figure


def accuracies(result: RunResult | ProgramResult) -> str:
    """Both test accuracies in words; the second is the one comparable with the published study."""
    if isinstance(result, ProgramResult):
        known = "not known" if result.accuracy is None else f"{result.accuracy:.4f}"
        return f"Accuracy {known} ({result.clips:,} clips)"
    accuracy = result.test_accuracy_full_length
    full_length = "not known" if accuracy is None else f"{accuracy:.4f}"
    return (
        f"Test accuracy {result.test_accuracy:.4f} ({result.test_clips:,} clips),"
        f" {full_length} on the {result.test_clips_full_length:,} of full length"
    )


def name_words(axes: Axes, words: Sequence[str]) -> None:
    """Names the rows (labels) and columns (predictions) of a matrix drawn with imshow."""
    names = [shorten(word, 12) for word in words]
    size = min(12, 190 / len(words))
    axes.set_facecolor(FAINT)
    axes.set_xticks(
        range(len(words)), labels=names, rotation=45, ha="right", rotation_mode="anchor", size=size
    )
    axes.set_yticks(range(len(words)), labels=names, size=size)
    axes.set_xlabel("prediction")
    axes.set_ylabel("label")
    axes.tick_params(length=0, labelcolor=INK)
    axes.spines[:].set_visible(False)
    for edge in range(1, len(words)):
        axes.axhline(edge - 0.5, color=FAINT, linewidth=1)
        axes.axvline(edge - 0.5, color=FAINT, linewidth=1)
    axes.xaxis.label.set_color(SOFT)
