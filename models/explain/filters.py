"""Each filter of the first layer, as engineers of signals describe one."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import nn

from models.architectures.convolution import Convolution
from models.data.audio import RATE_HZ
from models.explain.finding import Finding, UnfitError
from models.explain.layers import Layer
from models.explain.removal import tried
from models.explain.subject import Subject
from models.explanation import Quantity
from models.figures.style import ACCENT, CONTRAST, NULL, SOFT, picture, quiet

Floats = NDArray[np.float64]
Type = Literal["low", "band", "high", "notch", "derivative", "none"]

GRID = 8192
_HALF_POWER = math.sqrt(0.5)
_SHOWN_POINTS = 48
_SYMMETRIC = 0.9
_SECONDS = 20.0
"""How long the channels may be silenced, one after the other."""
_WIDE_Q = 1.5
"""A difference of samples is a derivative, not a band-pass, below this Q."""


@dataclass(frozen=True)
class Shape:
    """One filter.

    Attributes:
        centre_hz, bandwidth_hz: the middle and the width of the band around the peak in which the gain is at
            least 0.707 of it (-3 dB); None for a filter of zeros.
        q: centre / bandwidth; None where the band begins at 0 Hz.
        gain_db: at the peak.
        delay_ms: phase delay at the centre, nearest to the middle of the filter's energy.
        symmetry: 1 symmetric, -1 antisymmetric, 0 neither.
        response: the gain at `GRID` frequencies from 0 Hz to half the sampling rate.
    """

    centre_hz: float | None
    bandwidth_hz: float | None
    q: float | None
    gain_db: float | None
    delay_ms: float | None
    type: Type
    symmetry: float
    response: Floats


def describe(taps: Floats, rate_hz: float = RATE_HZ) -> Shape:
    """The shape of a filter (taps,)."""
    spectrum = np.fft.rfft(taps, 2 * (GRID - 1))
    gain = np.abs(spectrum)
    peak = int(gain.argmax())
    symmetry = _symmetry(taps)
    if gain[peak] == 0:
        return Shape(None, None, None, None, None, "none", symmetry, gain)
    edge = gain[peak] * _HALF_POWER
    to_hz = rate_hz / 2 / (GRID - 1)
    low, high = _crossing(gain, peak, -1, edge) * to_hz, _crossing(gain, peak, 1, edge) * to_hz
    centre, width = (low + high) / 2, high - low
    q = centre / width if low > 0 and width else None
    energy = taps**2
    middle = float((energy * np.arange(len(taps))).sum() / energy.sum())
    delay = None
    if centre:
        turn = 2 * np.pi * centre / rate_hz
        value = (taps * np.exp(-1j * turn * np.arange(len(taps)))).sum()
        rest = np.angle(value * np.exp(1j * turn * middle))
        delay = 1000 * (middle - rest / turn) / rate_hz
    kind = _type(gain, edge, q, symmetry)
    return Shape(centre, width, q, 20 * math.log10(gain[peak]), delay, kind, symmetry, gain)


def _crossing(gain: Floats, peak: int, step: int, edge: float) -> float:
    """Where the gain first falls to `edge` on one side of the peak, between two points; else the end."""
    place = peak
    while 0 <= place + step < len(gain):
        if gain[place + step] < edge:
            return place + step * float((gain[place] - edge) / (gain[place] - gain[place + step]))
        place += step
    return float(place)


def _type(gain: Floats, edge: float, q: float | None, symmetry: float) -> Type:
    """By the gain at both ends: whether it is within 3 dB of the peak, whose -3 dB is `edge`."""
    ends = bool(gain[0] >= edge), bool(gain[-1] >= edge)
    if all(ends):
        return "notch" if gain.min() < edge else "none"
    if symmetry < -_SYMMETRIC and not ends[0] and (q is None or q < _WIDE_Q):
        return "derivative"
    if ends[0]:
        return "low"
    return "high" if ends[1] else "band"


def _symmetry(taps: Floats) -> float:
    """The greatest likeness with its mirror image at any shift, -1 to 1: its convolution with its own taps."""
    energy = float((taps**2).sum())
    if not energy:
        return 0.0
    own = np.convolve(taps, taps) / energy
    return float(own[np.abs(own).argmax()])


def first_filters(network: nn.Module, layers: list[Layer]) -> Floats:
    """The filters that hear the waveform, (channels, taps), with their batch norm's gain.

    Raises:
        UnfitError: the first layer does not hear the waveform.
    """
    if not layers:
        raise UnfitError("the network has no convolution that is known, so it has no filters to describe")
    module = network.get_submodule(layers[0].name)
    weight = module.filters if isinstance(module, Convolution) else module.weight.detach()  # type: ignore[operator]
    if weight.shape[1] != 1:
        raise UnfitError("the first layer does not hear the waveform alone, so its taps are no filters")
    taps = weight.double().reshape(len(weight), -1)
    norm = module.norm if type(module) is Convolution else None  # others may square or add before it
    if isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None:
        scale = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
        taps = taps * scale.double()[:, None]
    return taps.numpy()


def moved(taps: Floats, start: Floats) -> Floats:
    """How far each filter turned from its start: 1 - cosine, 0 for not at all, 2 for its negative; (channels,)."""
    lengths = np.linalg.norm(taps, axis=1) * np.linalg.norm(start, axis=1)
    cosine = (taps * start).sum(1) / np.where(lengths > 0, lengths, 1)
    return np.asarray(1 - np.where(lengths > 0, cosine, 1))


def explain(subject: Subject) -> Finding:
    """A row a filter, from low to high centre frequency."""
    taps = first_filters(subject.network, subject.layers)
    shapes = [describe(each) for each in taps]
    before = first_filters(subject.start, subject.layers) if subject.start else None
    starts = [describe(each) for each in before] if before is not None else [None] * len(shapes)
    way = moved(taps, before) if before is not None else [None] * len(shapes)
    first = subject.layers[0]
    (losses,) = tried(
        subject,
        [(first, [[channel] for channel in range(first.channels)])],
        seconds=_SECONDS,
        report=subject.doing("channels"),
    )
    order = sorted(range(len(shapes)), key=lambda place: shapes[place].centre_hz or math.inf)
    points = np.linspace(0, GRID - 1, _SHOWN_POINTS).astype(int)
    rows: list[list[Any]] = []
    for place in order:
        shape, start = shapes[place], starts[place]
        rows.append(
            [
                place,
                shape.centre_hz,
                shape.bandwidth_hz,
                shape.q,
                shape.gain_db,
                shape.delay_ms,
                shape.symmetry,
                None if before is None else float(way[place]),  # type: ignore[arg-type]
                float(losses.accuracy[place]),
                float(losses.errors[place]),
                float(losses.nats[place]),
                start.centre_hz if start else None,
                shape.type,
                start.type if start else None,
                tuple(map(float, taps[place])),
                tuple(map(float, shape.response[points])),
            ]
        )
    kinds = {kind: sum(shape.type == kind for shape in shapes) for kind in Type.__args__}  # type: ignore[attr-defined]
    found = [
        f"{len(shapes)} filters: {', '.join(f'{count} {kind}' for kind, count in kinds.items() if count)}."
    ]
    if before is not None:
        found.append(
            f"The filters turned from their start by a median of {np.median(way):.3f} (1 - cosine; "  # type: ignore[arg-type]
            f"0: not at all, 1: no likeness left); {np.mean(np.asarray(way) > 0.1):.0%} turned by more than 0.1."
        )
    return Finding(
        title="Filters of layer 1",
        read="One row a filter: which band it passes, how it is shaped, how far training turned it, and what is lost "
        "without it.",
        null="Grey: the same filter before training. Without it: the channel is silenced; a loss "
        "within two standard errors of 0 is chance.",
        columns=(
            Quantity(title="Channel", kind="integer"),
            Quantity(title="Centre", unit="Hz", kind="integer"),
            Quantity(title="Bandwidth, -3 dB", unit="Hz", kind="integer"),
            Quantity(title="Q"),
            Quantity(title="Gain", unit="dB"),
            Quantity(title="Phase delay", unit="ms"),
            Quantity(title="Symmetry", unit="-1 to 1"),
            Quantity(title="Moved", unit="1 - cosine"),
            Quantity(title="Accuracy lost without it", kind="points"),
            Quantity(title="Standard error", kind="points"),
            Quantity(title="Loss without it", unit="nats"),
            Quantity(title="Centre at start", unit="Hz", kind="integer"),
            Quantity(title="Type", kind="text"),
            Quantity(title="Type at start", kind="text"),
            Quantity(title="Taps", kind="curve"),
            Quantity(title="Response, 0 to 8 kHz", kind="curve"),
        ),
        rows=rows,
        picture=draw(subject, shapes, [each for each in starts if each], order, losses.nats.numpy()),
        clips=losses.clips,
        found=found,
    )


@quiet
def draw(
    subject: Subject, shapes: list[Shape], starts: list[Shape], order: list[int], nats: Floats
) -> Figure:
    """The band of each filter, trained over its start in grey, and what is lost without it."""
    figure = picture(
        1000,
        900,
        f"The {len(shapes)} filters of layer 1",
        f"{subject.title} · run {subject.run}",
        "Left: centre and -3 dB band of each filter; grey: the same filter before training.",
        "Right: rise of the loss when the filter is silenced.",
    )
    bands, lost = figure.subplots(1, 2, sharey=True, width_ratios=[2, 1])
    place = np.arange(len(order))
    for drawn, colour, shift, size in ((starts, NULL, 0.2, 4), (shapes, ACCENT, -0.2, 5)):
        if not drawn:
            continue
        for at, number in enumerate(order):
            shape = drawn[number]
            if shape.centre_hz is not None and shape.bandwidth_hz is not None:
                half = shape.bandwidth_hz / 2000
                khz = shape.centre_hz / 1000
                bands.plot([khz - half, khz + half], [at + shift] * 2, color=colour, linewidth=1.5, alpha=0.6)
                bands.plot(khz, at + shift, "o", color=colour, markersize=size)
    bands.set_xlim(0, RATE_HZ / 2000)
    bands.set_xlabel("frequency (kHz)")
    step = max(1, len(order) // 32)
    bands.set_yticks(place[::step], labels=[str(order[at]) for at in place[::step]], size=8)
    bands.set_ylabel("channel, by centre frequency")
    lost.barh(place, nats[order], color=np.where(nats[order] > 0, CONTRAST, SOFT))
    lost.set_xlabel("rise of the loss (nats)")
    lost.axvline(0, color=SOFT, linewidth=1)
    return figure
