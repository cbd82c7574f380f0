"""The pictures of a mapping and of a GLM, drawn from the files in `brain/` of a run folder."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.brain_result import Mapping, Profile
from models.figures.style import ACCENT, CONTRAST, FAINT, INK, INTENSITY, SOFT, picture, quiet, shorten, write
from models.run_folder import RunFolder

Arrays = dict[str, NDArray[Any]]

_COLOURS = {
    "network": ACCENT, "initialisation": "#009e73", "permuted": CONTRAST, "shuffled": SOFT,
    "mel": INK, "modulation": "#cc79a7",
}  # fmt: skip
_OTHERS = ("#56b4e9", "#e69f00", "#7a5195")


def draw(folder: RunFolder, mapping: Mapping) -> list[Path]:
    """Draws the pictures of a mapping into `figures/brain_NAME_*.png`; the map only where coordinates exist."""
    with np.load(folder.brain / f"{mapping.name}.npz", allow_pickle=False) as content:
        arrays = dict(content)
    folder.figures.mkdir(exist_ok=True)
    files = []
    for name, figure in (
        ("profile", profile(mapping)),
        ("map", layer_map(mapping, arrays)),
        ("reliability", reliability(mapping, arrays)),
    ):
        if figure is not None:
            file = folder.figures / f"brain_{mapping.name}_{name}.png"
            write(figure, file)
            files.append(file)
    return files


def _origin(mapping: Mapping) -> str:
    simulated = " (simulated)" if mapping.simulated else ""
    return (
        f"{mapping.title} · run {mapping.run} · {shorten(mapping.data, 30)}{simulated} · "
        f"{mapping.kept:,} of {mapping.voxels:,} voxels · {len(mapping.people)} people"
    )


@quiet
def profile(mapping: Mapping) -> Figure:
    """The value of each layer with its standard error over people, and every control beside it."""
    figure = picture(1000, 560, f"{mapping.measure}, by layer", _origin(mapping), _legend(mapping))
    axes = figure.subplots()
    network = mapping.profiles[0]
    places = np.arange(len(network.layers))
    others = iter(_OTHERS * 10)
    for each in mapping.profiles:
        colour = _COLOURS.get(each.source) or next(others)
        values = np.array([np.nan if score.value is None else score.value for score in each.layers])
        sems = np.array([score.sem or 0 for score in each.layers])
        label = shorten(each.title, 34)
        if len(each.layers) == 1 and len(network.layers) > 1:
            axes.axhline(values[0], color=colour, linestyle="--", linewidth=1.5, label=label, zorder=1)
            axes.axhspan(values[0] - sems[0], values[0] + sems[0], color=colour, alpha=0.12, linewidth=0)
            continue
        at = _places(network, each)
        axes.fill_between(at, values - sems, values + sems, color=colour, alpha=0.18, linewidth=0)
        axes.plot(at, values, color=colour, marker="o", markersize=6 if each is network else 4, label=label,
                  linewidth=2.5 if each is network else 1.5, zorder=3 if each is network else 2)  # fmt: skip
    axes.set_xticks(places, labels=[score.layer for score in network.layers])
    axes.set_ylim(bottom=0)
    axes.set_ylabel("median over voxels, mean over people")
    axes.grid(axis="y", color=FAINT)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    figure.legend(loc="outside right upper")
    return figure


def _places(network: Profile, other: Profile) -> NDArray[np.floating]:
    """Where the layers of another network lie by relative depth; its own where both have as many."""
    return (
        np.linspace(0, len(network.layers) - 1, len(other.layers)) if len(other.layers) > 1 else np.zeros(1)
    )


def _legend(mapping: Mapping) -> str:
    return f"bands: SEM over {len(mapping.people)} people; dashed: features without layers"


@quiet
def layer_map(mapping: Mapping, arrays: Arrays) -> Figure | None:
    """The best layer of each reliable voxel on a glass brain, beside the histogram and what chance gives."""
    placed = arrays["kept"] & np.isfinite(arrays["xyz_mm"]).all(axis=1)
    layers = [str(layer) for layer in arrays["layers"]]
    if not placed.any() or len(layers) < 2:
        return None
    figure = picture(1150, 560, "Best layer of each reliable voxel", _origin(mapping), "")
    from nilearn.plotting import plot_markers  # noqa: PLC0415 - takes seconds to import

    figure.set_layout_engine("none")  # nilearn wants a place that does not move
    axes = figure.add_axes((0.01, 0.02, 0.66, 0.76))
    best = arrays["best_layer"][placed].astype(float)
    plot_markers(
        best, arrays["xyz_mm"][placed], node_cmap=INTENSITY, node_vmin=0, node_vmax=len(layers) - 1,
        node_size=12, display_mode="lyrz", axes=axes, colorbar=True, annotate=True, alpha=0.85,
    )  # fmt: skip
    _histogram(figure.add_axes((0.76, 0.12, 0.22, 0.6)), mapping)
    return figure


def _histogram(axes: Axes, mapping: Mapping) -> None:
    network = mapping.profiles[0]
    shuffled = next((each for each in mapping.profiles if each.source == "shuffled"), None)
    rows = np.arange(len(network.layers))
    counts = [score.chosen or 0 for score in network.layers]
    axes.barh(rows, counts, color=ACCENT, height=0.6, label="network")
    if shuffled:
        chance = [score.chosen or 0 for score in shuffled.layers]
        axes.plot(chance, rows, "D", color=CONTRAST, markersize=7, label="sounds shuffled (chance)")
    axes.set_yticks(rows, labels=[f"{place}  {score.layer}" for place, score in enumerate(network.layers)])
    axes.invert_yaxis()
    axes.set_xlabel("voxels with this best layer")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.grid(axis="x", color=FAINT)
    axes.set_axisbelow(True)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)


@quiet
def reliability(mapping: Mapping, arrays: Arrays) -> Figure | None:
    """The prediction of the best layer against the reliability of each voxel; None where that is not known."""
    if "reliability" not in arrays:
        return None
    network = mapping.profiles[0]
    best = int(np.argmax([score.value or 0 for score in network.layers]))
    figure = picture(
        900, 560, f"Prediction by {network.layers[best].layer} against reliability", _origin(mapping),
        "each dot is a voxel; grey ones do not answer reliably and count nowhere",
    )  # fmt: skip
    axes = figure.subplots()
    known, predicted, kept = arrays["reliability"], arrays["network.r"][best], arrays["kept"]
    for chosen, colour, label in ((~kept, SOFT, "left out"), (kept, ACCENT, "kept")):
        axes.scatter(known[chosen], predicted[chosen], s=9, color=colour, alpha=0.5, linewidth=0, label=label)
    axes.axhline(0, color=FAINT, zorder=0)
    axes.set_xlabel("reliability of the voxel (correlation of repetitions; continuous: explainable variance)")
    axes.set_ylabel("correlation with the prediction")
    axes.tick_params(length=0)
    axes.legend(loc="upper left")
    return figure
