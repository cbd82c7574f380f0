"""The pictures of a GLM: its design matrix, and where its contrast is."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from models.brain_result import Contrast
from models.figures.brain import Arrays
from models.figures.style import DIVERGING, picture, quiet, shorten, write
from models.run_folder import RunFolder


def draw(folder: RunFolder, contrast: Contrast) -> list[Path]:
    """Draws the pictures into `figures/brain_NAME_*.png`; the map only where coordinates exist."""
    with np.load(folder.brain / f"{contrast.name}.npz", allow_pickle=False) as content:
        arrays = dict(content)
    folder.figures.mkdir(exist_ok=True)
    files = []
    for name, figure in (("design", design(contrast, arrays)), ("contrast", contrast_map(contrast, arrays))):
        if figure is not None:
            file = folder.figures / f"brain_{contrast.name}_{name}.png"
            write(figure, file)
            files.append(file)
    return files


def _origin(contrast: Contrast) -> str:
    simulated = " (simulated)" if contrast.simulated else ""
    return f"{shorten(contrast.data, 40)}{simulated} · {contrast.runs} runs · {contrast.voxels:,} voxels"


@quiet
def design(contrast: Contrast, arrays: Arrays) -> Figure:
    """The regressors of the first run, each scaled to its largest value."""
    matrix = arrays["design"]
    figure = picture(900, 700, "Design matrix of the first run", _origin(contrast))
    axes = figure.subplots()
    scale = np.abs(matrix).max(axis=0)
    axes.imshow(
        matrix / np.where(scale > 0, scale, 1),
        aspect="auto",
        cmap=DIVERGING,
        vmin=-1,
        vmax=1,
        interpolation="nearest",
    )
    axes.set_xticks(
        range(matrix.shape[1]),
        labels=[shorten(name, 20) for name in contrast.regressors],
        rotation=60,
        ha="right",
    )
    axes.set_ylabel("TR")
    axes.tick_params(length=0)
    return figure


@quiet
def contrast_map(contrast: Contrast, arrays: Arrays) -> Figure | None:
    """The significant voxels on a glass brain, in the colour of their z."""
    placed = np.isfinite(arrays["xyz_mm"]).all(axis=1)
    shown = placed & (arrays["q"] < 0.05)
    if not placed.any():
        return None
    figure = picture(
        1000, 420, f"Contrast {shorten(contrast.contrast, 60)}", _origin(contrast),
        f"{contrast.significant:,} voxels with a false discovery rate below 0.05",
    )  # fmt: skip
    from nilearn.plotting import plot_glass_brain, plot_markers  # noqa: PLC0415 - takes seconds to import

    figure.set_layout_engine("none")  # nilearn wants a place that does not move
    axes = figure.add_axes((0.01, 0.02, 0.98, 0.74))
    if not shown.any():
        plot_glass_brain(None, axes=axes, display_mode="lyrz")
        return figure
    z = arrays["z"][shown]
    plot_markers(
        z, arrays["xyz_mm"][shown], node_cmap="cividis", node_vmin=0, node_vmax=float(z.max()), node_size=12,
        display_mode="lyrz", axes=axes, colorbar=True,
    )  # fmt: skip
    return figure
