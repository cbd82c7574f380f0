"""Where the word becomes readable: linear probes on each layer, for the word, the loudness and the pitch."""

from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional

from models.data.audio import RATE_HZ
from models.explain.finding import Finding, UnfitError
from models.explain.layers import Layer, measured
from models.explain.mels import log_mel
from models.explain.ridge import explained, fit_and_score
from models.explain.same import in_bins
from models.explain.subject import Subject
from models.explanation import Quantity
from models.figures.style import ACCENT, CONTRAST, NULL, SOFT, picture, quiet

_TRAINING_CLIPS = 1600
_MOST_VALUES = 512
"""For each clip and layer: the channels, in as many parts of the second as fit."""
_LOWEST_HZ, _HIGHEST_HZ = 70, 400
_NEARLY = 0.9
_VOICED = 0.5
"""The least correlation of a frame with itself a period later."""


@dataclass(frozen=True)
class Probe:
    """What can be read from one layer.

    Attributes:
        word: share of the test clips whose word is read right.
        loudness, pitch: variance explained of the level in dB, and of the octave of the voice.
    """

    word: float
    loudness: float
    pitch: float


def loudness_db(sound: Tensor) -> Tensor:
    """The level of each clip, (clips,)."""
    return 10 * torch.log10(sound.square().mean(1) + 1e-9)


def pitch_octave(sound: Tensor) -> Tensor:
    """The pitch of each clip in octaves above 100 Hz, (clips,); NaN where no frame has a clear one.

    The median over frames of 40 ms of the lag with the greatest normalised autocorrelation.
    """
    low, high = RATE_HZ // _HIGHEST_HZ, RATE_HZ // _LOWEST_HZ
    octaves = []
    for some in torch.split(sound, 64):
        frames = some.unfold(1, 640, 320) - some.unfold(1, 640, 320).mean(2, keepdim=True)
        spectrum = torch.fft.rfft(frames, 2048)
        correlation = torch.fft.irfft(spectrum.abs().square(), 2048)[..., : high + 1]
        share = torch.arange(high + 1).neg().add(640) / 640  # fewer samples overlap at longer lags
        normal = correlation / (correlation[..., :1].clamp(min=1e-9) * share)
        strength = normal[..., low:-1].max(2).values
        # Two periods fit as well as one: the first peak that is nearly as high as the highest.
        inner = normal[..., low:-1]
        is_peak = (inner >= normal[..., low - 1 : -2]) & (inner >= normal[..., low + 1 :])
        lag = (is_peak & (inner >= _NEARLY * strength[..., None])).float().argmax(2)
        energy = frames.square().mean(2)
        clear = (strength > _VOICED) & (energy > 0.1 * energy.max(1, keepdim=True).values)
        octave = torch.log2(RATE_HZ / (lag + low).float() / 100)
        octaves.append(torch.where(clear, octave, torch.nan).nanmedian(1).values)
    return torch.cat(octaves)


def features(network: nn.Module, layers: list[Layer], sound: Tensor) -> list[Tensor]:
    """(clips, values) for each layer."""
    return measured(network, sound, layers, lambda layer, output: _few(output, layer.channels))


def _few(output: Tensor, channels: int) -> Tensor:
    return in_bins(output, max(1, _MOST_VALUES // channels)).flatten(1)


def probe(x: Tensor, x_test: Tensor, about: "About", about_test: "About") -> Probe:
    """Fits to features (clips, values) of training clips, and reads those of test clips."""
    targets = torch.cat([about.words, about.loudness[:, None]], 1)
    read = fit_and_score(x, targets, x_test)
    word = (read[:, :-1].argmax(1) == about_test.words.argmax(1)).float().mean()
    loudness = explained(about_test.loudness[:, None], read[:, -1:])[0]
    voiced, voiced_test = about.pitch.isfinite(), about_test.pitch.isfinite()
    pitch = torch.tensor(torch.nan)
    if voiced.sum() >= 20 and voiced_test.sum() >= 5:
        read = fit_and_score(x[voiced], about.pitch[voiced][:, None], x_test[voiced_test])
        pitch = explained(about_test.pitch[voiced_test][:, None], read)[0]
    return Probe(float(word), float(loudness), float(pitch))


@dataclass(frozen=True)
class About:
    """What is to be read of clips: `words` (clips, words) 0 or 1, `loudness` (clips,), `pitch` (clips,)."""

    words: Tensor
    loudness: Tensor
    pitch: Tensor

    @classmethod
    def of(cls, sound: Tensor, labels: Tensor, words: int) -> "About":
        one_hot = functional.one_hot(labels, words).float()
        return cls(one_hot, loudness_db(sound), pitch_octave(sound))


def explain(subject: Subject) -> Finding:
    """A row a layer, below the spectrogram; each also before training."""
    if not subject.layers:
        raise UnfitError("the network has no layer that is known to read from")
    subject.report("training clips", 0.0)
    sound, labels = subject.training(_TRAINING_CLIPS)
    about = About.of(sound, labels, len(subject.words))
    tested = About.of(subject.sound, subject.labels, len(subject.words))
    mels = [_few(log_mel(each), 40) for each in (sound, subject.sound)]
    baseline = probe(mels[0], mels[1], about, tested)

    def probes(network: nn.Module, layers: list[Layer], which: str) -> list[Probe]:
        subject.report(which, 0.1)
        x = features(network, layers, sound)
        x_test = features(network, layers, subject.sound)
        return [probe(one, two, about, tested) for one, two in zip(x, x_test, strict=True)]

    trained = probes(subject.network, subject.layers, "layers")
    starts = (
        probes(subject.start, subject.start_layers, "layers before training")
        if subject.start and subject.start_layers
        else None
    )
    rows: list[list[Any]] = [
        [0, baseline.word, None, baseline.loudness, None, baseline.pitch, None, None, "log-mel spectrogram"]
    ]
    for place, layer in enumerate(subject.layers):
        one, other = trained[place], starts[place] if starts else None
        rows.append(
            [
                layer.number,
                one.word,
                other.word if other else None,
                one.loudness,
                other.loudness if other else None,
                one.pitch,
                other.pitch if other else None,
                layer.field_ms,
                layer.name,
            ]
        )
    best = max(range(len(trained)), key=lambda place: trained[place].word)
    was = f" (before training {starts[best].word:.1%})" if starts else ""
    return Finding(
        title="Where the word becomes readable",
        read="One row a layer: how much of the word, the loudness and the pitch a linear reading of that layer tells.",
        null=f"Grey: the same layer before training. Chance reads {1 / len(subject.words):.1%} of the words; the first row "
        "reads the spectrogram instead of a layer.",
        columns=(
            Quantity(title="Layer", kind="integer"),
            Quantity(title="Word read", kind="share"),
            Quantity(title="Word before training", kind="share"),
            Quantity(title="Loudness", unit="variance explained"),
            Quantity(title="Loudness before training"),
            Quantity(title="Pitch", unit="variance explained"),
            Quantity(title="Pitch before training"),
            Quantity(title="Receptive field", unit="ms"),
            Quantity(title="Name", kind="text"),
        ),
        rows=rows,
        picture=draw(subject, trained, starts, baseline),
        clips=len(subject.sound),
        found=[
            (
                f"The word is read best from layer {subject.layers[best].number}, {trained[best].word:.1%}{was}; the "
                f"spectrogram gives {baseline.word:.1%}."
            )
        ],
    )


@quiet
def draw(subject: Subject, trained: list[Probe], starts: list[Probe] | None, baseline: Probe) -> Figure:
    """Three panels: word, loudness, pitch, by layer."""
    figure = picture(
        1000,
        480,
        "What a linear reading of each layer tells",
        f"{subject.title} · run {subject.run}",
        "Grey: the same layers before training. Dotted: read from the log-mel spectrogram. Dashed: chance.",
    )
    panels = figure.subplots(1, 3)
    numbers = [layer.number for layer in subject.layers]
    names = (
        ("word", "share of words read"),
        ("loudness", "loudness: variance explained"),
        ("pitch", "pitch: variance explained"),
    )
    for axes, (name, label) in zip(panels, names, strict=True):
        if starts:
            axes.plot(numbers, [max(-0.1, getattr(each, name)) for each in starts], "o-", color=NULL)
        axes.plot(numbers, [max(-0.1, getattr(each, name)) for each in trained], "o-", color=ACCENT)
        axes.axhline(getattr(baseline, name), color=CONTRAST, linestyle=":")
        axes.axhline(1 / len(subject.words) if name == "word" else 0, color=SOFT, linestyle="--", linewidth=1)
        axes.set_ylim(-0.12, 1.03)
        axes.set_xticks(numbers)
        axes.set_xlabel("layer")
        axes.set_ylabel(label)
    return figure
