"""The outputs of all layers on one time axis: one clip, two words, and their difference."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from models.data.audio import RATE_HZ
from models.explain import stimuli
from models.explain.finding import Finding, UnfitError
from models.explain.layers import Layer, measured
from models.explain.mels import BANDS, FRAMES, STEP_MS, at_frames, centres_hz, log_mel
from models.explain.subject import Subject
from models.explanation import Quantity
from models.figures.style import DIVERGING, INTENSITY, SOFT, picture, quiet

_MOST_CLIPS = 100
"""Of each word."""
_MOST_PANELS = 9
_REACH = 2.0
"""Standard deviations at the ends of the colours of a difference."""


@dataclass(frozen=True)
class Means:
    """The outputs of one layer for the clips of two words, at 100 frames of 10 ms.

    Attributes:
        words: (2, channels, frames) the means.
        deviation: (channels, frames) the standard deviation within a word.
    """

    words: Tensor
    deviation: Tensor

    @property
    def difference(self) -> Tensor:
        """The first word less the second, in standard deviations within a word: (channels, frames)."""
        # A channel that hardly ever answers is not divided by next to nothing.
        least = 0.05 * self.deviation.max().clamp(min=1e-9)
        return (self.words[0] - self.words[1]) / self.deviation.clamp(min=float(least))


def means(network: nn.Module, layers: list[Layer], one: Tensor, other: Tensor) -> list[Means]:
    """For the clips of two words, each (n, 16000)."""
    both = torch.cat([one, other])
    outputs = measured(network, both, layers, lambda layer, output: at_frames(output, layer.times_ms()))
    return [_means(output, len(one)) for output in outputs]


def _means(output: Tensor, first: int) -> Means:
    parts = output[:first], output[first:]
    variance = torch.stack([part.var(0, correction=0) for part in parts]).mean(0)
    return Means(torch.stack([part.mean(0) for part in parts]), variance.sqrt())


def confused_pair(scores: Tensor, labels: Tensor, words: tuple[str, ...]) -> tuple[str, str]:
    """The two words that are taken for each other most often; the first two where none are."""
    counts = torch.zeros(len(words), len(words))
    counts.index_put_((labels, scores.argmax(1)), torch.ones(len(labels)), accumulate=True)
    both = (counts + counts.T).triu(1)
    place = int(both.argmax()) or 1
    return words[place // len(words)], words[place % len(words)]


def best_frequency_order(network: nn.Module, layers: list[Layer]) -> list[Tensor]:
    """The channels of each layer from low to high best frequency."""
    hz = stimuli.frequencies_hz(24)
    answers = measured(network, stimuli.tones(hz), layers, lambda _, output: output.mean(2))
    orders = []
    for answer in answers:
        above = (answer - answer.min(0).values).T
        centre = (above @ torch.arange(len(hz)).float()) / above.sum(1).clamp(min=1e-9)
        orders.append(centre.argsort())
    return orders


def explain(subject: Subject) -> Finding:
    """A row a channel: where in time, and how well, it tells the two words apart."""
    if not subject.layers:
        raise UnfitError("the network has no layer that is known, so it has no maps")
    pair = subject.pair or confused_pair(subject.scores, subject.labels, subject.words)
    sounds = [
        subject.sound[torch.nonzero(subject.labels == subject.words.index(word)).flatten()[:_MOST_CLIPS]]
        for word in pair
    ]
    subject.report("the two words", 0.2)
    trained = means(subject.network, subject.layers, sounds[0], sounds[1])
    starts = (
        means(subject.start, subject.start_layers, sounds[0], sounds[1])
        if subject.start and subject.start_layers
        else None
    )
    subject.report("one clip", 0.8)
    shown = _shown_clip(subject)
    clip = measured(
        subject.network,
        subject.sound[shown : shown + 1],
        subject.layers,
        lambda layer, output: at_frames(output, layer.times_ms()),
    )
    orders = best_frequency_order(subject.network, subject.layers)
    rows: list[list[Any]] = []
    found = []
    for place, layer in enumerate(subject.layers):
        difference = trained[place].difference
        before = starts[place].difference.abs().max(1).values if starts else None
        strength, peak = difference.abs().max(1)
        rank = orders[place].argsort()
        rows += [
            [
                layer.number,
                channel,
                float(difference[channel, peak[channel]]),
                float(before[channel]) if before is not None else None,
                STEP_MS * (int(peak[channel]) + 0.5),
                int(rank[channel]) + 1,
                float(trained[place].words[0, channel].max()),
                float(trained[place].words[1, channel].max()),
            ]
            for channel in range(layer.channels)
        ]
        was = f" (before training {float(before.median()):.2f})" if before is not None else ""
        found.append(
            f"Layer {layer.number}: its channels tell {pair[0]} from {pair[1]} by a median of "
            f"{float(strength.median()):.2f} standard deviations{was}."
        )
    return Finding(
        title=f"Feature maps: {pair[0]} and {pair[1]}",
        read=f"One row a channel: by how many standard deviations its mean output for {pair[0]} exceeds (negative: falls "
        f"below) that for {pair[1]}, at the moment where they differ most.",
        null="Before training: the same greatest difference, whatever its sign, in the network at its start.",
        columns=(
            Quantity(title="Layer", kind="integer"),
            Quantity(title="Channel", kind="integer"),
            Quantity(title="Difference", unit="standard deviations"),
            Quantity(title="Before training", unit="standard deviations"),
            Quantity(title="At", unit="ms", kind="integer"),
            Quantity(title="Rank by best frequency", kind="integer"),
            Quantity(title=f"Largest mean, {pair[0]}"),
            Quantity(title=f"Largest mean, {pair[1]}"),
        ),
        rows=rows,
        picture=draw(
            subject,
            shown=shown,
            pair=pair,
            sounds=sounds,
            trained=trained,
            clip=[each[0] for each in clip],
            orders=orders,
        ),
        clips=sum(map(len, sounds)),
        found=found,
    )


def _shown_clip(subject: Subject) -> int:
    if subject.clip:
        return subject.files.index(subject.clip)
    chance = subject.scores.softmax(1).gather(1, subject.labels[:, None])[:, 0]
    return int(chance.argmax())


@quiet
def draw(
    subject: Subject,
    *,
    shown: int,
    pair: tuple[str, str],
    sounds: list[Tensor],
    trained: list[Means],
    clip: list[Tensor],
    orders: list[Tensor],
) -> Figure:
    """Columns: the clip, each word's mean, their difference. Rows: sound, then layers, all on one time axis."""
    kept = np.unique(np.linspace(0, len(trained) - 1, min(_MOST_PANELS, len(trained))).round()).astype(int)
    figure = picture(
        1000,
        980,
        f"Feature maps: one clip, {pair[0]}, {pair[1]}, and their difference",
        f"{subject.title} · run {subject.run} · clip {subject.files[shown]}",
        "Each panel a layer, its channels from low (below) to high best frequency; outputs as a share of the layer's",
        "largest mean. Right: blue, more for the first word; orange, more for the second; in standard deviations.",
    )
    grid = figure.subplots(
        len(kept) + 2, 4, sharex=True, squeeze=False, height_ratios=[0.5, 1, *(1 for _ in kept)]
    )
    spectra = [log_mel(sound).mean(0) for sound in (subject.sound[shown : shown + 1], *sounds)]
    time = np.arange(subject.sound.shape[1]) / RATE_HZ * 1000
    grid[0, 0].plot(time, subject.sound[shown].numpy(), color=SOFT, linewidth=0.5)
    for place, sound in enumerate(sounds, 1):
        loud = sound.square().reshape(len(sound), FRAMES, -1).mean((0, 2)).sqrt()
        grid[0, place].plot(STEP_MS * (np.arange(FRAMES) + 0.5), loud.numpy(), color=SOFT, linewidth=1)
    for axes, title in zip(
        grid[0], ("one clip", f"{pair[0]}, mean", f"{pair[1]}, mean", "difference"), strict=True
    ):
        axes.set_title(title)
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    low, high = float(spectra[0].quantile(0.05)), float(spectra[0].max())
    for axes, spectrum in zip(grid[1], spectra, strict=False):
        _heat(axes, spectrum, low, high)
    _heat(grid[1, 3], (spectra[1] - spectra[2]) / 10, -1, 1, diverging=True)
    hz = centres_hz()
    at = [int((hz - khz * 1000).abs().argmin()) for khz in (0.5, 2)]
    grid[1, 0].set_yticks([(place + 0.5) / BANDS for place in at], labels=["0.5 kHz", "2 kHz"], size=8)
    level = colours = None
    for row, place in enumerate(kept, 2):
        order = orders[place]
        largest = float(trained[place].words.flatten().quantile(0.999))
        panels = (clip[place], trained[place].words[0], trained[place].words[1])
        for axes, panel in zip(grid[row], panels, strict=False):
            level = _heat(axes, panel[order] / max(largest, 1e-9), 0, 1)
        colours = _heat(grid[row, 3], trained[place].difference[order], -_REACH, _REACH, diverging=True)
        grid[row, 0].set_ylabel(f"layer {subject.layers[place].number}", size=9)
    for axes in grid[-1]:
        axes.set_xlim(0, 1000)
        axes.set_xticks([0, 500, 1000])
        axes.set_xlabel("ms")
    if level is not None and colours is not None:
        figure.colorbar(level, ax=grid[:, :3], shrink=0.4, label="share of the largest mean output", pad=0.01)
        figure.colorbar(
            colours, ax=grid[:, 3], shrink=0.4, label="standard deviations (dB / 10 for sound)", pad=0.02
        )
    return figure


def _heat(axes: Axes, values: Tensor, low: float, high: float, *, diverging: bool = False):  # type: ignore[no-untyped-def] # noqa: ANN202
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return axes.imshow(
        values.numpy(),
        cmap=DIVERGING if diverging else INTENSITY,
        vmin=low,
        vmax=high,
        origin="lower",
        extent=(0, 1000, 0, 1),
        aspect="auto",
        interpolation="nearest",
    )
