"""Where in a clip the word is heard: parts taken out, and gradients, in the plane of the spectrogram."""

from collections.abc import Callable
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from models.data.audio import RATE_HZ, SAMPLES
from models.explain.finding import Finding
from models.explain.maps import confused_pair
from models.explain.subject import Subject, scores
from models.explanation import Quantity
from models.figures.style import DIVERGING, INTENSITY, picture, quiet

SPAN_MS = 50
EDGES_HZ = torch.cat([torch.zeros(1), 160 * 2 ** (torch.arange(17) / 3), torch.tensor([8001.0])])
"""Thirds of an octave from 160 Hz, and what lies below and above."""
SPANS = 1000 // SPAN_MS
BANDS = len(EDGES_HZ) - 1
_WINDOW, _HOP = 400, 160
_STEPS = 24
_MOST_OF_A_WORD = 6


def spectrum(sound: Tensor) -> Tensor:
    """The short-time spectrum of clips (n, 16000), complex (n, bins, frames): 25 ms each 10 ms."""
    return torch.stft(sound, _WINDOW, _HOP, window=torch.hann_window(_WINDOW), return_complex=True)


def waveform(parts: Tensor) -> Tensor:
    """The inverse of `spectrum`."""
    return torch.istft(parts, _WINDOW, _HOP, window=torch.hann_window(_WINDOW), length=SAMPLES)


def tile_of() -> tuple[Tensor, Tensor]:
    """The band of each bin, (bins,), and the span of each frame, (frames,)."""
    hz = torch.arange(_WINDOW // 2 + 1) * RATE_HZ / _WINDOW
    band = (torch.bucketize(hz, EDGES_HZ, right=True) - 1).clamp(0, BANDS - 1)
    ms = torch.arange(SAMPLES // _HOP + 1) * 1000 * _HOP / RATE_HZ
    return band, (ms / SPAN_MS).long().clamp(max=SPANS - 1)


def occlusion(
    network: nn.Module, sound: Tensor, word: int, report: Callable[[float], None] = lambda _: None
) -> Tensor:
    """How far the log-odds of a word fall without each tile of 50 ms by a third of an octave.

    Odds, since the probability of a clip that is surely heard hardly moves, whatever is taken out.
    For clips (n, 16000): the mean over them in nats, (bands, spans).
    """
    band, span = tile_of()
    total = torch.zeros(BANDS, SPANS)
    for number, clip in enumerate(sound):
        parts = spectrum(clip[None])
        whole = _log_odds(scores(network, clip[None]), word)
        for each in range(BANDS):
            hidden = (band[:, None] == each)[None] & (span == torch.arange(SPANS)[:, None])[:, None]
            without = scores(network, waveform(parts * ~hidden))
            total[each] += whole - _log_odds(without, word)
        report((number + 1) / len(sound))
    return total / max(1, len(sound))


def _log_odds(outputs: Tensor, word: int) -> Tensor:
    """Of a word against all others, (n,), from scores (n, words). A network of one word has only its score."""
    others = torch.cat([outputs[:, :word], outputs[:, word + 1 :]], 1)
    return outputs[:, word] - (others.logsumexp(1) if others.shape[1] else 0)


def integrated_gradients(network: nn.Module, sound: Tensor, word: int) -> Tensor:
    """Integrated gradients of a word's score from silence to each clip, summed in the same tiles.

    Sundararajan, Taly and Yan (2017), eq. 1, by the middle rule, with respect to the short-time spectrum: its
    coefficients times their mean gradient. They add up to the score's difference from that for silence.
    For clips (n, 16000): the mean over them, (bands, spans).
    """
    network.eval()
    band, span = tile_of()
    total = torch.zeros(BANDS, SPANS)
    for clip in sound:
        parts = torch.view_as_real(spectrum(clip[None]))[0]
        gradient = torch.zeros_like(parts)
        for some in torch.split((torch.arange(_STEPS) + 0.5) / _STEPS, 8):
            scaled = (some[:, None, None, None] * parts).requires_grad_()
            network(waveform(torch.view_as_complex(scaled)))[:, word].sum().backward()
            if scaled.grad is not None:
                gradient += scaled.grad.sum(0) / _STEPS
        for parameter in network.parameters():
            parameter.grad = None
        share = (parts * gradient).sum(2)
        by_band = torch.zeros(BANDS, share.shape[1]).index_add_(0, band, share)
        total += torch.zeros(BANDS, SPANS).index_add_(1, span, by_band)
    return total / max(1, len(sound))


def explain(subject: Subject) -> Finding:
    """A row a tile, for one clip and for the mean over its word."""
    word = (
        subject.pair[0] if subject.pair else confused_pair(subject.scores, subject.labels, subject.words)[0]
    )
    place = subject.words.index(word)
    own = torch.nonzero(subject.labels == place).flatten()
    if subject.clip:
        shown = subject.files.index(subject.clip)
        place = int(subject.labels[shown])
        word, own = subject.words[place], torch.nonzero(subject.labels == place).flatten()
    else:
        shown = int(own[subject.scores[own].softmax(1)[:, place].argmax()])
    clip = subject.sound[shown : shown + 1]
    several = subject.sound[own[:: max(1, len(own) // _MOST_OF_A_WORD)][:_MOST_OF_A_WORD]]
    maps = {
        "one clip, taken out": occlusion(subject.network, clip, place),
        "one clip, gradients": integrated_gradients(subject.network, clip, place),
        f"mean of {len(several)} clips, taken out": occlusion(
            subject.network, several, place, subject.doing(f"clips of {word}")
        ),
        f"mean of {len(several)} clips, gradients": integrated_gradients(subject.network, several, place),
    }
    null = None
    if subject.start:
        null = {
            "before training, taken out": occlusion(subject.start, several, place),
            "before training, gradients": integrated_gradients(subject.start, several, place),
        }
    rows: list[list[Any]] = []
    for band in range(BANDS):
        for span in range(SPANS):
            before = [float(each[band, span]) for each in null.values()] if null else [None, None]
            low, high = float(EDGES_HZ[band]), min(8000.0, float(EDGES_HZ[band + 1]))
            rows.append(
                [
                    span * SPAN_MS,
                    low,
                    high,
                    *(float(each[band, span]) for each in maps.values()),
                    *before,
                ]
            )
    rows.sort(key=lambda row: -float(row[5] or 0))
    mean = list(maps.values())[2]
    at = int(mean.argmax())
    band, span = at // SPANS, at % SPANS
    total = mean.clamp(min=0).sum().clamp(min=1e-9)
    share = float(mean.clamp(min=0).flatten().topk(max(1, mean.numel() // 10)).values.sum() / total)
    fall, by_chance = float(mean[band, span]), float(next(iter(null.values())).max()) if null else 0.0
    return Finding(
        title=f"Where {word} is heard",
        read="One row a part of 50 ms by a third of an octave: how far the log-odds of the word fall when it is taken "
        "out, and its share of the score by integrated gradients.",
        null="Before training: the same parts in the network at its start, where nothing can be heard.",
        columns=(
            Quantity(title="From", unit="ms", kind="integer"),
            Quantity(title="Low", unit="Hz", kind="integer"),
            Quantity(title="High", unit="Hz", kind="integer"),
            Quantity(title="Clip, taken out", unit="nats"),
            Quantity(title="Clip, gradients", unit="score"),
            Quantity(title="Mean, taken out", unit="nats"),
            Quantity(title="Mean, gradients", unit="score"),
            Quantity(title="Before training, taken out", unit="nats"),
            Quantity(title="Before training, gradients", unit="score"),
        ),
        rows=rows,
        picture=draw(subject, shown, word, maps, null),
        clips=len(several),
        found=[
            f"For {word}, the part from {span * SPAN_MS} to {(span + 1) * SPAN_MS} ms at "
            f"{float(EDGES_HZ[band]):.0f}-{min(8000.0, float(EDGES_HZ[band + 1])):.0f} Hz matters most "
            f"({fall:.2f} nats); a tenth of the parts carry {share:.0%} of the evidence."
            if round(fall, 2) > round(by_chance, 2)
            else f"For {word}, no part matters more than one does before training ({by_chance:.2f} nats)."
            if null
            else f"For {word}, no part matters."
        ],
    )


@quiet
def draw(
    subject: Subject, shown: int, word: str, maps: dict[str, Tensor], null: dict[str, Tensor] | None
) -> Figure:
    """The clip's spectrum above; below it the maps, what is taken out on the left, gradients on the right."""
    figure = picture(
        1000,
        980,
        f"Where {word} is heard",
        f"{subject.title} · run {subject.run} · clip {subject.files[shown]}",
        "Blue: the word is less likely without this part (left), or this part speaks for it (right); orange: against.",
        "Left in nats of log-odds, right in units of the score; each panel has its own scale.",
    )
    every = {**maps, **(null or {})}
    grid = figure.subplots(1 + len(every) // 2, 2, sharex=True, sharey=True, squeeze=False)
    power = spectrum(subject.sound[shown : shown + 1]).abs().square()[0]
    band, span = tile_of()
    loud = torch.zeros(BANDS, power.shape[1]).index_add_(0, band, power)
    tiles = torch.zeros(BANDS, SPANS).index_add_(1, span, loud)
    decibels = 10 * torch.log10(tiles / tiles.max() + 1e-6)
    image = grid[0, 0].imshow(
        decibels.numpy(), cmap=INTENSITY, origin="lower", aspect="auto", extent=(0, 1000, 0, BANDS)
    )
    grid[0, 0].set_title("the clip")
    figure.colorbar(image, ax=grid[0, 0], label="dB")
    grid[0, 1].set_visible(False)
    for axes, (title, values) in zip(list(grid.flat)[2:], every.items(), strict=True):
        reach = max(float(values.abs().max()), 1e-6)
        image = axes.imshow(values.numpy(), cmap=DIVERGING, vmin=-reach, vmax=reach, origin="lower", aspect="auto",
                            extent=(0, 1000, 0, BANDS))  # fmt: skip
        axes.set_title(title)
        figure.colorbar(image, ax=axes)
    at = [int((EDGES_HZ - hz).abs().argmin()) for hz in (250, 1000, 4000)]
    for axes in grid[:, 0]:
        axes.set_yticks(at, labels=["0.25", "1", "4"])
        axes.set_ylabel("kHz")
    for axes in grid[-1]:
        axes.set_xlabel("ms")
    return figure
