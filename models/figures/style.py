"""The one look of all pictures: quiet, sized in pixels, safe for colour-blind readers."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.text import Text

from models.run_folder import write_atomically

INK = "#1f2328"
SOFT = "#5f6b7a"
RULE = "#d5dae1"
FAINT = "#eef1f5"
ACCENT = "#0b57d0"
CONTRAST = "#d55e00"
"""Vermillion of Okabe and Ito (2008); told from the accent with every kind of colour blindness."""

NULL = "#9aa3ae"
"""Of what is there without learning, or by chance."""

INTENSITY = "cividis"
"""From little to much; made to look the same with every kind of colour vision."""

DIVERGING = LinearSegmentedColormap.from_list("diverging", ["#6b2000", CONTRAST, "white", ACCENT, "#06275e"])
"""From negative, vermillion, over white zero to positive, blue."""


def halo(share: float = 1.0) -> list[patheffects.AbstractPathEffect]:
    """Lifts a line off a heat map; `share` of the full size of a picture."""
    return [patheffects.withStroke(linewidth=3.5 * share, foreground="white")]


PIXEL_LIMIT = 1_000_000
"""Google Sheets takes only pictures with fewer pixels."""

_DPI = 100
_MARGIN_PX = 16
_TITLE_PX = 26
_LINE_PX = 22
_HEAD = "head"
"""Marks the title and its lines among the texts of a picture."""


def _other_scripts() -> list[str]:
    """Fonts of this machine for words that the usual one cannot write."""
    installed = {font.name for font in fontManager.ttflist}
    return [name for name in sorted(installed) if re.search("CJK|WenQuanYi|Fallback|Unifont", name)]


_LOOK: dict[Any, Any] = {
    "font.family": ["DejaVu Sans", *_other_scripts()],
    "font.size": 11,
    # Names from outside may hold dollar signs.
    "text.parse_math": False,
    # Text stays text in a PDF or SVG file.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": SOFT,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": FAINT,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "lines.linewidth": 2,
    "legend.frameon": False,
}


@contextmanager
def _quiet() -> Iterator[None]:
    with mpl.rc_context(_LOOK), warnings.catch_warnings():
        # Words in a script for which there is no font are drawn as boxes; that is to be seen.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        yield


quiet = _quiet()
"""Decorates every function that makes or writes a picture."""


@quiet
def picture(width_px: int, height_px: int, title: str, *lines: str) -> Figure:
    """An empty picture below its title and the lines that explain it; axes share the rest.

    Raises:
        ValueError: the picture would be too large for a sheet.
    """
    if width_px * height_px >= PIXEL_LIMIT:
        raise ValueError(f"{width_px} x {height_px} pixels are too many for a sheet")
    head_px = _MARGIN_PX + _TITLE_PX + _LINE_PX * len(lines) + _MARGIN_PX // 2
    below = (0.008, 0.008, 0.984, 0.992 - head_px / height_px)
    figure = Figure(
        figsize=(width_px / _DPI, height_px / _DPI), dpi=_DPI, layout=ConstrainedLayoutEngine(rect=below)
    )
    left = _MARGIN_PX / width_px
    figure.text(left, 1 - _MARGIN_PX / height_px, title, size=14, weight="bold", va="top", label=_HEAD)
    for number, line in enumerate(lines):
        top_px = _MARGIN_PX + _TITLE_PX + _LINE_PX * number
        figure.text(left, 1 - top_px / height_px, line, color=SOFT, va="top", label=_HEAD)
    return figure


_SMALLEST_TEXT_PT = 6.0
_SMALLEST_NUMBER_PT = 5.0
"""Of numbers inside axes, as in the cells of a confusion matrix, which have the least room."""

_MM_AN_INCH = 25.4
_PRINT_DPI = 300


@quiet
def write_for_print(figure: Figure, file: Path, *, width_mm: float | None, with_title: bool) -> None:
    """Writes a picture for a paper: PNG, PDF or SVG by the name of the file.

    `width_mm` is the width on paper. Lines, markers and texts shrink with the picture, texts to no less than
    6 pt, numbers inside axes to no less than 5 pt.
    """
    if not with_title:
        _remove_head(figure)
    if width_mm:
        width, height = figure.get_size_inches()
        share = width_mm / _MM_AN_INCH / width
        figure.set_size_inches(width * share, height * share)
        _shrink(figure, share)
    data = io.BytesIO()
    figure.savefig(data, format=file.suffix[1:], dpi=_PRINT_DPI)
    write_atomically(file, data.getvalue())


def _remove_head(figure: Figure) -> None:
    """Without the title and its lines; labels that all axes share stay."""
    for text in [text for text in figure.texts if text.get_label() == _HEAD]:
        text.remove()
    if isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
        figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0.008, 0.008, 0.984, 0.984)))
        return
    # Axes with places of their own keep their size, and the picture ends above them.
    width, height = figure.get_size_inches()
    top = max(axes.get_position().y1 for axes in figure.axes) + 0.01
    figure.set_size_inches(width, height * top)
    for axes in figure.axes:
        box = axes.get_position()
        axes.set_position((box.x0, box.y0 / top, box.width, box.height / top))


def _shrink(figure: Figure, share: float) -> None:
    numbers = {text for axes in figure.axes for text in axes.texts}
    for text in figure.findobj(match=Text):
        smallest = _SMALLEST_NUMBER_PT if text in numbers else _SMALLEST_TEXT_PT
        text.set_fontsize(max(smallest, float(text.get_fontsize()) * share))
    for line in figure.findobj(match=Line2D):
        line.set_linewidth(line.get_linewidth() * share)
        line.set_markersize(line.get_markersize() * share)
        line.set_markeredgewidth(line.get_markeredgewidth() * share)
        if line.get_path_effects():
            line.set_path_effects(halo(share))
    for collection in figure.findobj(match=Collection):
        collection.set_linewidth([width * share for width in np.atleast_1d(collection.get_linewidth())])
    for axes in figure.axes:
        _replace_legend(axes)
    figure.draw_without_rendering()
    for axes in figure.axes:
        for label, room in (
            (axes.xaxis.label, axes.get_window_extent().width),
            (axes.yaxis.label, axes.get_window_extent().height),
        ):
            box = label.get_window_extent()
            if max(box.width, box.height) > room:
                label.set_text(label.get_text().replace(" (", "\n(", 1))


def _replace_legend(axes: Axes) -> None:
    """A legend keeps the room that it first took, which may leave none for its axes: a new one above them."""
    legend = axes.get_legend()
    if legend is None:
        return
    texts = legend.get_texts()
    is_short = sum(len(text.get_text()) for text in texts) < 30
    axes.legend(
        fontsize=texts[0].get_fontsize(),
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.2,
        ncols=2 if is_short else 1,
    )


@quiet
def write(figure: Figure, file: Path) -> None:
    """Writes the picture as its file's name ends (.png or .pdf), all of it or nothing."""
    content = io.BytesIO()
    figure.savefig(content, format=file.suffix[1:])
    write_atomically(file, content.getvalue())


def shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
