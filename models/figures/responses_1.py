"""The filters of the first layer as in digital signal processing: their gain over frequency."""

import numpy as np
from matplotlib.figure import Figure

from models.figures.facts import Facts
from models.figures.spectra import magnitude_response, mel_spaced
from models.figures.style import CONTRAST, INK, INTENSITY, halo, picture, quiet

_WIDTH_PX, _HEIGHT_PX = 1000, 760
_RANGE_DB = 30


@quiet
def draw(facts: Facts) -> Figure | None:
    """Computed from the weights alone; without batch norm, bias and what follows."""
    if facts.analysis is None:
        return None
    first = facts.analysis.layers[0]
    centres_hz = facts.analysis.filter_centres_hz()
    order = np.argsort(centres_hz)
    weights = facts.analysis.filters[order]
    count, taps = weights.shape
    highest_hz = first.rate_hz / 2
    frequencies_hz = np.linspace(0, highest_hz, 401)
    gain_db = 20 * np.log10(np.maximum(magnitude_response(weights, first.rate_hz, frequencies_hz), 1e-6))
    resolution_khz = first.rate_hz / taps / 1000
    figure = picture(
        _WIDTH_PX,
        _HEIGHT_PX,
        f"Gain of the {count} filters of layer 1 over frequency",
        facts.origin,
        f"{taps} taps at {first.rate_hz / 1000:g} kHz resolve about {first.rate_hz / 1000:g} / {taps} ="
        f" {resolution_khz:.2g} kHz (bar): two peaks closer than that look like one,",
        "and a band as narrow as the mel scale has at low frequencies cannot show here.",
    )
    axes = figure.subplots()
    image = axes.imshow(
        gain_db.T,
        cmap=INTENSITY,
        vmin=gain_db.max() - _RANGE_DB,
        vmax=gain_db.max(),
        extent=(0.5, count + 0.5, 0, highest_hz / 1000),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    ranks = np.arange(1, count + 1)
    axes.plot(
        ranks, mel_spaced(count, highest_hz) / 1000,
        color=CONTRAST, linestyle="--", path_effects=halo(), label=f"mel scale: {count} equal steps",
    )  # fmt: skip
    axes.plot(
        ranks, centres_hz[order] / 1000,
        "o", color="white", markeredgecolor=INK, markersize=5, label="centre frequency (centroid of power)",
    )  # fmt: skip
    beside = count + 0.5 + 0.025 * count
    axes.errorbar(
        beside, highest_hz / 2000, yerr=resolution_khz / 2, color=INK, capsize=5, linewidth=1.5, clip_on=False
    )
    axes.set_xlim(0.5, count + 0.5 + 0.05 * count)
    axes.set_ylim(0, highest_hz / 1000)
    axes.set_xlabel("filter, by centre frequency")
    axes.set_ylabel("frequency (kHz)")
    axes.spines[:].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    figure.colorbar(image, ax=axes, label="gain (dB; 0 dB leaves a tone as it is)", extend="min", aspect=40)
    return figure
