"""Loss and accuracy over the epochs."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from models.figures.facts import Facts
from models.figures.style import ACCENT, CONTRAST, FAINT, INK, SOFT, picture, quiet
from models.result import Epoch, RunResult

_WIDTH_PX, _HEIGHT_PX = 1000, 800


@quiet
def draw(facts: Facts) -> Figure | None:
    """Needs one epoch; a run that is still training has a curve too."""
    history = facts.history
    if not history:
        return None
    rates = _values(history, "learning_rate")
    moving = bool(np.nanmax(rates) > np.nanmin(rates)) if np.isfinite(rates).any() else False
    best = _best(facts)
    figure = picture(_WIDTH_PX, _HEIGHT_PX, _summary(history, best), facts.origin)
    panels = figure.subplots(
        3 if moving else 2, 1, sharex=True, height_ratios=[4, 4, 1.3] if moving else [1, 1]
    )
    epochs = np.array([entry.epoch for entry in history])
    _curves(panels[0], epochs, _values(history, "loss"), _values(history, "validation_loss"))
    panels[0].set_ylabel("loss (cross entropy, nats)" if facts.recipe else "loss")
    _limit(panels[0], low=0, high=1.05 * panels[0].dataLim.ymax)
    _curves(panels[1], epochs, _values(history, "train_accuracy"), _values(history, "validation_accuracy"))
    panels[1].set_ylabel("accuracy")
    _limit(panels[1], low=max(0, 1.1 * panels[1].dataLim.ymin - 0.1), high=1)
    if moving:
        panels[2].plot(epochs, rates, color=SOFT, marker="o" if len(epochs) == 1 else None)
        panels[2].set_ylabel("learning rate")
        panels[2].ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
        panels[2].set_ylim(0, 1.1 * np.nanmax(rates))
    for axes in panels:
        axes.grid(axis="y", color=FAINT)
        if best is not None:
            axes.axvline(best.epoch, color=INK, linewidth=1, linestyle=(0, (2, 3)))
    if best is not None:
        panels[1].plot(best.epoch, best.validation_accuracy, "o", color=CONTRAST, markersize=8)
    panels[-1].set_xlabel("epoch")
    if len(epochs) == 1:
        panels[-1].set_xlim(epochs[0] - 0.5, epochs[0] + 0.5)
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def _limit(axes: Axes, *, low: float, high: float) -> None:
    """Fixes the scale; a program may measure nothing on it, or a loss below zero."""
    if np.isfinite([low, high]).all() and low < high and axes.dataLim.ymin >= low:
        axes.set_ylim(low, high)


def _values(history: list[Epoch], field: str) -> NDArray[np.float64]:
    """One value an epoch, NaN where it is not known."""
    return np.array([getattr(entry, field) for entry in history], dtype=np.float64)


def _best(facts: Facts) -> Epoch | None:
    """The epoch whose weights were kept; while training goes on, the first of the highest accuracy."""
    known = [entry for entry in facts.history if entry.validation_accuracy is not None]
    if isinstance(facts.result, RunResult):
        known = [entry for entry in known if entry.epoch == facts.result.best_epoch]
    return max(known, key=lambda entry: entry.validation_accuracy or 0, default=None)


def _summary(history: list[Epoch], best: Epoch | None) -> str:
    if best is None:
        return f"Learning curve of {len(history)} epochs"
    return f"Best validation accuracy {best.validation_accuracy:.4f}, in epoch {best.epoch} of {len(history)}"


def _curves(
    axes: Axes, epochs: NDArray[np.int64], training: NDArray[np.float64], validation: NDArray[np.float64]
) -> None:
    marker = "o" if len(epochs) == 1 else None
    axes.plot(epochs, training, color=ACCENT, marker=marker, label="training")
    axes.plot(epochs, validation, color=CONTRAST, marker=marker, linestyle="--", label="validation")
    axes.legend(loc="best", ncols=2)
