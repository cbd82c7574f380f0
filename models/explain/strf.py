"""Spectro-temporal receptive fields: which bands, how long before and after, predict a channel's output."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from models.explain.finding import Finding, UnfitError
from models.explain.layers import Layer, measured
from models.explain.mels import BANDS, STEP_MS, at_frames, centres_hz, log_mel
from models.explain.patches import MOST, draw_patches
from models.explain.ridge import PENALTIES, solve
from models.explain.subject import Subject
from models.explanation import Quantity
from models.figures.style import ACCENT, DIVERGING, NULL, SOFT, picture, quiet
from models.mel import mel

LAGS = 30
FIRST_MS = -150
"""The first lag; the last one is 140 ms. The network sees what comes after a moment as well as what came before."""
FOLDS = 4
_CLIPS = 400
_SEED = 1
_SILENT = 1e-6


@dataclass(frozen=True)
class Fields:
    """The fields of some channels.

    Attributes:
        weights: (channels, bands, lags) per standard deviation of each band.
        explained: (channels,) variance explained of clips that were not fitted, R squared.
        shuffled: (channels,) the same when each clip's spectrogram stands beside another clip's output.
    """

    weights: Tensor
    explained: Tensor
    shuffled: Tensor


def lagged(spectra: Tensor) -> Tensor:
    """The predictors of each frame, (clips, frames, bands x lags): spectra (clips, bands, frames), shifted."""
    first = FIRST_MS // STEP_MS
    before, after = max(0, LAGS - 1 + first), max(0, -first)
    # At lag k a value is predicted by the sound k frames before it.
    padded = torch.nn.functional.pad(spectra, (before, after))
    windows = padded.unfold(2, LAGS, 1).flip(3)  # (clips, bands, frames, lags), the lags rising
    return windows.permute(0, 2, 1, 3).flatten(2)


def fields(spectra: Tensor, outputs: Tensor) -> Fields:
    """Cross-validated by clips.

    Args:
        spectra: (clips, bands, frames), in dB.
        outputs: (clips, channels, frames).
    """
    normal = spectra - spectra.mean((0, 2), keepdim=True)
    normal = normal / normal.std((0, 2), keepdim=True).clamp(min=1e-6)
    targets = outputs - outputs.mean((0, 2), keepdim=True)
    deviation = targets.std((0, 2), keepdim=True)
    targets = targets / deviation.clamp(min=_SILENT)
    count = len(spectra)
    fold = torch.arange(count) % FOLDS
    moved = targets[(torch.arange(count) + 1 + count // 2) % count]
    channels = targets.shape[1]
    both = torch.cat([targets, moved], 1)
    size = BANDS * LAGS
    grams, crosses = torch.zeros(FOLDS, size, size), torch.zeros(FOLDS, size, 2 * channels)
    for number in range(FOLDS):
        for some in torch.split(torch.nonzero(fold == number).flatten(), 50):
            x = lagged(normal[some]).flatten(0, 1)
            y = both[some].transpose(1, 2).flatten(0, 1)
            grams[number] += x.T @ x
            crosses[number] += x.T @ y
    power = torch.zeros(2 * channels)
    errors = torch.zeros(len(PENALTIES), 2 * channels)
    for number in range(FOLDS):
        others = torch.arange(FOLDS) != number
        weights = solve(grams[others].sum(0), crosses[others].sum(0)).float()
        own = both[fold == number].square().sum((0, 2))
        power += own
        # The squared error of a fold, from its sums: y'y - 2 w'X'y + w'X'X w.
        for place, each in enumerate(weights):
            errors[place] += (
                own - 2 * (each * crosses[number]).sum(0) + (each * (grams[number] @ each)).sum(0)
            )
    least, chosen = errors.min(0)
    r_squared = torch.where(power > _SILENT, 1 - least / power.clamp(min=_SILENT), 0.0)
    weights = solve(grams.sum(0), crosses.sum(0)[:, :channels]).float()
    best = weights.gather(0, chosen[:channels].expand(1, size, -1))[0]
    return Fields(best.T.reshape(channels, BANDS, LAGS), r_squared[:channels], r_squared[channels:])


def centre_hz(weights: Tensor) -> Tensor:
    """The band of the largest positive weight, (channels,)."""
    return centres_hz().float()[weights.amax(2).argmax(1)]


def latency_ms(weights: Tensor) -> Tensor:
    """How long before the output the sound counts most; negative: after. (channels,)."""
    return FIRST_MS + STEP_MS * weights.amax(1).argmax(1)


def modulation(weights: Tensor) -> tuple[Tensor, Tensor]:
    """The rate (Hz) and the density (cycles per 1000 mel) at the centre of the field's spectrum of power."""
    power = torch.fft.fft2(weights).abs().square()
    rates = torch.fft.fftfreq(LAGS, STEP_MS / 1000).abs()
    step = float(mel(centres_hz()[1].item()) - mel(centres_hz()[0].item())) / 1000
    densities = torch.fft.fftfreq(BANDS, step).abs()
    total = power.sum((1, 2)).clamp(min=1e-12)
    return (power.sum(1) @ rates) / total, (power.sum(2) @ densities) / total


def separability(weights: Tensor) -> Tensor:
    """The share of the field's power in its best product of a curve over bands and one over lags, (channels,)."""
    strengths: Tensor = torch.linalg.svdvals(weights).square()
    return strengths[:, 0] / strengths.sum(1).clamp(min=1e-12)


def layer_fields(network: nn.Module, layers: list[Layer], sound: Tensor) -> list[Fields]:
    """The fields of each layer."""
    outputs = measured(network, sound, layers, lambda layer, output: at_frames(output, layer.times_ms()))
    spectra = log_mel(sound)
    together = fields(spectra, torch.cat(outputs, 1))
    sizes = [output.shape[1] for output in outputs]
    parts = [torch.split(each, sizes) for each in (together.weights, together.explained, together.shuffled)]
    return [Fields(*each) for each in zip(*parts, strict=True)]


def explain(subject: Subject) -> Finding:
    """A row a channel."""
    if not subject.layers:
        raise UnfitError("the network has no layer that is known, so no channel has a field")
    chosen = subject.a_few(_CLIPS)
    sound = subject.sound[chosen]
    subject.report("channels", 0.1)
    trained = layer_fields(subject.network, subject.layers, sound)
    rows: list[list[Any]] = []
    found = []
    for layer, one in zip(subject.layers, trained, strict=True):
        rate, density = modulation(one.weights)
        columns = (centre_hz(one.weights), latency_ms(one.weights), rate, density, separability(one.weights))
        for channel in range(layer.channels):
            silent = not bool(one.weights[channel].abs().max() > 0)
            facts = [None if silent else float(each[channel]) for each in columns]
            rows.append(
                [layer.number, channel, float(one.explained[channel]), float(one.shuffled[channel]), *facts]
            )
        found.append(
            f"Layer {layer.number}: a linear field of {LAGS * STEP_MS} ms explains a median of "
            f"{float(one.explained.median()):.0%} of its channels' variance (shuffled clips: "
            f"{float(one.shuffled.median()):.0%})."
        )

    return Finding(
        title="Spectro-temporal receptive fields",
        read="One row a channel: which band, how long before its output, and which rhythm in time and over bands drive "
        "it, and how much of it such a linear field explains in clips that were not fitted.",
        null="Shuffled: each spectrogram beside the output for another clip; what remains is the common course of all "
        "clips.",
        columns=(
            Quantity(title="Layer", kind="integer"),
            Quantity(title="Channel", kind="integer"),
            Quantity(title="Variance explained", kind="share"),
            Quantity(title="Shuffled", kind="share"),
            Quantity(title="Centre", unit="Hz", kind="integer"),
            Quantity(title="Latency", unit="ms", kind="integer"),
            Quantity(title="Temporal modulation", unit="Hz"),
            Quantity(title="Spectral modulation", unit="cycles per 1000 mel"),
            Quantity(title="Separability", unit="0 to 1"),
        ),
        rows=rows,
        picture=draw(subject, trained),
        clips=len(sound),
        found=found,
    )


@quiet
def draw(subject: Subject, trained: list[Fields]) -> Figure:
    """Variance explained by layer, and the best-explained fields of all layers."""
    figure = picture(
        1000,
        960,
        "Spectro-temporal receptive fields",
        f"{subject.title} · run {subject.run}",
        "Above: variance explained, a dot a channel; grey: shuffled clips. Below: the best-explained fields of each layer",
        "(layer:channel); blue drives the channel, orange holds it back; from 140 ms before to 150 ms after the output.",
    )
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1, 2])[:, 0]
    axes = above.subplots()
    for place, one in enumerate(trained):
        for values, colour, shift in ((one.shuffled, NULL, 0.2), (one.explained, ACCENT, -0.2)):
            spread = place + shift + np.linspace(-0.15, 0.15, len(values))
            axes.plot(spread, values.sort().values.clamp(min=-0.1).numpy(), "o", color=colour, markersize=3)
    axes.set_xticks(range(len(trained)), labels=[str(layer.number) for layer in subject.layers])
    axes.axhline(0, color=SOFT, linewidth=1)
    axes.set_xlabel("layer")
    axes.set_ylabel("variance explained")
    each = max(1, MOST // len(trained))
    tiles = []
    for layer, one in zip(subject.layers, trained, strict=True):
        for channel in map(int, one.explained.topk(min(each, len(one.explained))).indices):
            weights = one.weights[channel].flip(1)  # time runs to the right
            reach = max(float(weights.abs().max()), 1e-9)
            tiles.append((f"{layer.number}:{channel}", weights, (-reach, reach)))
    last = FIRST_MS + STEP_MS * LAGS
    draw_patches(below, tiles[:MOST], (-last, -FIRST_MS), (-100, 0, 100), DIVERGING)
    return figure
