"""The clips, and the moments in them, that drive each channel most."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from models.explain.finding import Finding, UnfitError
from models.explain.layers import Layer, measured
from models.explain.mels import FRAMES, STEP_MS, log_mel
from models.explain.patches import MOST, draw_patches
from models.explain.subject import Subject
from models.explanation import Moment, Quantity
from models.figures.style import ACCENT, INTENSITY, NULL, SOFT, picture, quiet

CLIPS = 9
_AROUND = 20
"""Frames shown before and after a moment."""


@dataclass(frozen=True)
class Likes:
    """The clips that drive the channels of one layer most.

    Attributes:
        clips: (channels, 9) indices, the strongest first.
        at_ms: (channels, 9) the moment in each.
        values: (channels, 9) the outputs.
        same_word: (channels,) the share of the nine that are of their most frequent word.
        word: (channels,) that word.
        alive: (channels,) whether the channel answers at all.
    """

    clips: Tensor
    at_ms: Tensor
    values: Tensor
    same_word: Tensor
    word: Tensor
    alive: Tensor


def likes(network: nn.Module, layers: list[Layer], sound: Tensor, labels: Tensor, words: int) -> list[Likes]:
    """For the clips (n, 16000)."""
    found = []
    for layer, (value, place) in zip(layers, _strongest(network, layers, sound), strict=True):
        top, which = value.T.topk(min(CLIPS, len(sound)), 1)
        at = place.T.gather(1, which)
        counts = torch.nn.functional.one_hot(labels[which], words).sum(1)
        most, word = counts.max(1)
        found.append(
            Likes(
                which,
                layer.times_ms()[at].clamp(0, 999),
                top,
                most / which.shape[1],
                word,
                (value.amax(0) - value.amin(0)) > 1e-6,
            )
        )
    return found


def _strongest(network: nn.Module, layers: list[Layer], sound: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The largest output of each channel in each clip, and where: both (clips, channels)."""

    def peak(_layer: Layer, output: Tensor) -> Tensor:
        value, place = output.max(2)
        return torch.stack([value.double(), place.double()], 2)

    both = measured(network, sound, layers, peak)
    return [(each[..., 0], each[..., 1].long()) for each in both]


def explain(subject: Subject) -> Finding:
    """A row a channel with its nine clips, to listen to."""
    if not subject.layers:
        raise UnfitError("the network has no layer that is known, so no channel can like a clip")
    subject.report("test clips", 0.1)
    count = len(subject.words)
    trained = likes(subject.network, subject.layers, subject.sound, subject.labels, count)
    subject.report("test clips before training", 0.5)
    starts = (
        likes(subject.start, subject.start_layers, subject.sound, subject.labels, count)
        if subject.start and subject.start_layers
        else None
    )
    rows: list[list[Any]] = []
    for place, layer in enumerate(subject.layers):
        one = trained[place]
        for channel in range(layer.channels):
            if not one.alive[channel]:
                continue
            moments = [
                Moment(clip=subject.files[int(clip)], seconds=round(float(at) / 1000, 3))
                for clip, at in zip(one.clips[channel], one.at_ms[channel], strict=True)
            ]
            rows.append(
                [
                    layer.number,
                    channel,
                    float(one.same_word[channel]),
                    float(starts[place].same_word[channel]) if starts else None,
                    float(one.values[channel, 0]),
                    subject.words[int(one.word[channel])],
                    *moments,
                    *(None for _ in range(CLIPS - len(moments))),
                ]
            )
    means = [float(each.same_word[each.alive].mean()) for each in trained]
    best = int(np.nanargmax(means))
    was = f"; before training {float(starts[best].same_word.mean()):.0%}" if starts else ""
    return Finding(
        title="The clips that drive each channel most",
        read="One row a channel: the nine test clips with its largest outputs and the moments of these, and the share of "
        "them that say the same word; a play button brings each clip to the ear on the page.",
        null="Before training: the same share for the same channel. Drawn blindly, nine clips of many words share one by "
        f"{_chance(subject.labels, count):.0%}.",
        columns=(
            Quantity(title="Layer", kind="integer"),
            Quantity(title="Channel", kind="integer"),
            Quantity(title="Same word", kind="share"),
            Quantity(title="Before training", kind="share"),
            Quantity(title="Largest output"),
            Quantity(title="Word", kind="text"),
            *(Quantity(title=f"Clip {place}", kind="moment") for place in range(1, CLIPS + 1)),
        ),
        rows=rows,
        picture=draw(subject, trained, starts),
        clips=len(subject.sound),
        found=[
            (
                f"In layer {subject.layers[best].number} the nine strongest clips of a channel share one word by "
                f"{means[best]:.0%} on average{was}."
            )
        ],
    )


def _chance(labels: Tensor, words: int) -> float:
    """The mean share of the most frequent word among nine clips drawn blindly."""
    drawn = torch.randint(len(labels), (2000, CLIPS), generator=torch.Generator().manual_seed(0))
    return float(
        torch.nn.functional.one_hot(labels[drawn], words).sum(1).max(1).values.float().mean() / CLIPS
    )


@quiet
def draw(subject: Subject, trained: list[Likes], starts: list[Likes] | None) -> Figure:
    """Above, the share of one word by layer; below, the mean spectrogram around the nine moments of some channels."""
    figure = picture(
        1000,
        960,
        "What drives each channel most",
        f"{subject.title} · run {subject.run}",
        "Above: share of a channel's nine strongest clips that say the same word, mean by layer; grey: before training.",
        f"Below: mean log-mel spectrogram {_AROUND * STEP_MS} ms around the nine moments, for channels of all layers.",
    )
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1, 2])[:, 0]
    axes = above.subplots()
    numbers = [layer.number for layer in subject.layers]
    if starts:
        axes.plot(numbers, [float(each.same_word.mean()) for each in starts], "o-", color=NULL)
    axes.plot(numbers, [float(each.same_word[each.alive].mean()) for each in trained], "o-", color=ACCENT)
    axes.axhline(_chance(subject.labels, len(subject.words)), color=SOFT, linestyle="--", linewidth=1)
    axes.set_ylim(0, 1.03)
    axes.set_xticks(numbers)
    axes.set_xlabel("layer")
    axes.set_ylabel("same word")
    spectra = log_mel(subject.sound)
    low, high = float(spectra.flatten()[::97].quantile(0.2)), float(spectra.max()) - 10
    each = max(1, MOST // len(trained))
    tiles = []
    for layer, one in zip(subject.layers, trained, strict=True):
        best = torch.where(one.alive, one.same_word, -1.0).topk(min(each, len(one.alive))).indices
        for channel in map(int, best[one.alive[best]]):
            title = f"{layer.number}:{channel} {subject.words[int(one.word[channel])]}"
            tiles.append((title, _around(spectra, one, channel), (low, high)))
    reach = _AROUND * STEP_MS
    draw_patches(below, tiles[:MOST], (-reach, reach), (-reach, 0, reach), INTENSITY)
    return figure


def _around(spectra: Tensor, one: Likes, channel: int) -> Tensor:
    """The mean of the spectrograms (bands, 2 x _AROUND) around the moments; what lies outside a clip is its quietest."""
    quietest = float(spectra.min())
    padded = torch.nn.functional.pad(spectra[one.clips[channel]], (_AROUND, _AROUND), value=quietest)
    frames = (one.at_ms[channel] / STEP_MS).long().clamp(0, FRAMES - 1)
    return torch.stack(
        [clip[:, at : at + 2 * _AROUND] for clip, at in zip(padded, frames, strict=True)]
    ).mean(0)
