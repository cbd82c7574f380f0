"""What layer 1 lets through as a whole, over the epochs, beside the speech it was trained on."""

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.data.audio import RATE_HZ, SAMPLES
from models.explain.filters import first_filters
from models.explain.finding import Finding
from models.explain.subject import Subject
from models.explanation import Quantity
from models.figures.spectra import magnitude_response
from models.figures.style import ACCENT, CONTRAST, INTENSITY, NULL, picture, quiet

Floats = NDArray[np.floating]

FORMANTS_HZ = {"F1": (250, 900), "F2": (800, 2700), "F3": (1700, 3500)}
"""Where the formants of vowels of men, women and children lie; Peterson and Barney (1952), table II, rounded."""
_CLIPS = 400
_POINTS = 256


def cumulative(filters: Floats, frequencies_hz: Floats) -> Floats:
    """The sum of the filters' power gains (taps of (n, taps)) as a share of its largest, (frequencies,).

    The cumulative frequency response of Ravanelli and Bengio (2018), of power.
    """
    total = (magnitude_response(filters, RATE_HZ, frequencies_hz) ** 2).sum(0)
    return np.asarray(total / max(float(total.max()), 1e-30))


def long_term_spectrum(sound: torch.Tensor, frequencies_hz: Floats) -> Floats:
    """The mean power of clips (n, 16000) around each frequency in third octaves, in dB below its largest."""
    power = torch.fft.rfft(sound).abs().square().mean(0).numpy()
    hz = np.fft.rfftfreq(SAMPLES, 1 / RATE_HZ)
    half = 2 ** (1 / 6)
    means = [power[(hz >= each / half) & (hz <= each * half + 1)].mean() for each in frequencies_hz]
    return np.asarray(10 * np.log10(np.maximum(means, 1e-30) / max(means)))


def explain(subject: Subject) -> Finding:
    """A row a third of an octave."""
    frequencies = np.linspace(50, RATE_HZ / 2, _POINTS)
    thirds = 100 * 2 ** (np.arange(19) / 3)
    stages = {**{f"epoch {epoch}": network for epoch, network in subject.epochs.items()}}
    if subject.start:
        stages = {"start": subject.start, **stages}
    stages["trained"] = subject.network
    taps = {name: first_filters(network, subject.layers) for name, network in stages.items()}
    sound, _ = subject.training(_CLIPS)
    speech = long_term_spectrum(sound, thirds)
    at_thirds = {name: 10 * np.log10(cumulative(each, thirds) + 1e-9) for name, each in taps.items()}
    rows: list[list[Any]] = []
    for place, hz in enumerate(thirds):
        change = at_thirds["trained"][place] - at_thirds["start"][place] if "start" in taps else None
        inside = [name for name, (low, high) in FORMANTS_HZ.items() if low <= hz <= high]
        rows.append(
            [
                float(hz),
                float(at_thirds["trained"][place]),
                None if change is None else float(change),
                float(speech[place]),
            ]
            + [float(at_thirds[name][place]) for name in taps if name != "trained"]
            + [" ".join(inside)]
        )
    curves = {name: cumulative(each, frequencies) for name, each in taps.items()}
    found = []
    if "start" in curves:
        moved = float(np.sqrt(np.mean((at_thirds["trained"] - at_thirds["start"]) ** 2)))
        fit = float(np.corrcoef(at_thirds["trained"], speech)[0, 1])
        before = float(np.corrcoef(at_thirds["start"], speech)[0, 1])
        found.append(
            f"Training changed what layer 1 lets through by {moved:.1f} dB (root mean square over third octaves); its "
            f"correlation with the spectrum of the speech went from {before:+.2f} to {fit:+.2f}."
        )
    return Finding(
        title="What layer 1 lets through",
        read="One row a third of an octave: the power that all filters of layer 1 let through together, below the band "
        "that passes best, beside the power of the training speech there.",
        null="Grey: the same filters before training.",
        columns=(
            Quantity(title="Frequency", unit="Hz", kind="integer"),
            Quantity(title="Trained", unit="dB"),
            Quantity(title="Change from the start", unit="dB"),
            Quantity(title="Speech", unit="dB"),
            *(Quantity(title=name.capitalize(), unit="dB") for name in taps if name != "trained"),
            Quantity(title="Formants", kind="text"),
        ),
        rows=rows,
        picture=draw(subject, frequencies, curves, long_term_spectrum(sound, frequencies[1:])),
        clips=len(sound),
        found=found,
        notices=[] if subject.epochs else ["This run kept no weights of the epochs in between."],
    )


@quiet
def draw(subject: Subject, frequencies: Floats, curves: dict[str, Floats], speech: Floats) -> Figure:
    """The curves over the epochs above, the spectrum of the speech below, with the formants behind both."""
    figure = picture(
        1000,
        700,
        "What layer 1 lets through, and the speech it was trained on",
        f"{subject.title} · run {subject.run}",
        "Above: summed power gain of all filters, as a share of its largest; grey: before training; lines: epochs.",
        "Below: mean power of the training speech in third octaves. Shaded: the formants of vowels.",
    )
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.5, 1])
    khz = frequencies / 1000
    between = [name for name in curves if name.startswith("epoch")]
    import matplotlib as mpl  # noqa: PLC0415 - only for its colours

    shades = mpl.colormaps[INTENSITY](np.linspace(0.85, 0.15, max(1, len(between))))
    if "start" in curves:
        above.plot(khz, curves["start"], color=NULL, linewidth=4, label="start")
    for name, shade in zip(between, shades, strict=False):
        above.plot(khz, curves[name], color=shade, linewidth=1.2, label=name)
    above.plot(khz, curves["trained"], color=ACCENT, label="trained")
    above.set_ylim(0, 1.05)
    above.set_ylabel("share of the largest gain")
    above.legend(ncols=4, loc="lower right")
    below.plot(khz[1:], speech, color=CONTRAST)
    below.set_ylabel("speech (dB)")
    below.set_xlabel("frequency (kHz)")
    for axes in (above, below):
        for low, high in FORMANTS_HZ.values():
            axes.axvspan(low / 1000, high / 1000, color="#0b57d0", alpha=0.06, linewidth=0)
    for place, (name, (low, high)) in enumerate(FORMANTS_HZ.items()):
        below.text((low + high) / 2000, -3 - 6 * place, name, ha="center", color=ACCENT)
    return figure
