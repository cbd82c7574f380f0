"""What each channel of each layer answers to, measured with sounds."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from models.data.audio import SAMPLES
from models.explain import stimuli
from models.explain.finding import Finding, UnfitError
from models.explain.layers import Layer, measured
from models.explain.subject import Subject
from models.explanation import Quantity
from models.figures.style import ACCENT, CONTRAST, NULL, picture, quiet
from models.mel import mel

_CARRIER_HZ = 1000.0
_SPEEDS = (4.0, 16.0, -4.0, -16.0)
_MOVED_OCTAVES = 1 / 3
_MOST_PANELS = 10
_ANSWER = 0.0999
"""A tenth of the answer to the best tone, but for rounding: what counts as an answer to a soft one."""


@dataclass(frozen=True)
class Answers:
    """The mean outputs of one layer above its output for silence.

    Attributes:
        tones: (channels, tones) to `stimuli.frequencies_hz()`.
        levels: (channels, levels) to the channel's best tone at `stimuli.LEVELS_DB`.
        bands: (channels, tones) to noise bands at the same frequencies.
        modulated: (channels, rates), the larger of modulated tone and noise, above the unmodulated one.
        chirps: (channels, 4): up slow, up fast, down slow, down fast.
    """

    tones: Tensor
    levels: Tensor
    bands: Tensor
    modulated: Tensor
    chirps: Tensor

    @property
    def best_hz(self) -> Tensor:
        """The tone that each channel answers to most, (channels,); 0 Hz: it answers to none."""
        hz = stimuli.frequencies_hz()[self.tones.argmax(1)]
        return torch.where(self.answers, hz, 0.0)

    @property
    def answers(self) -> Tensor:
        """Whether a channel answers to tones at all, (channels,)."""
        return self.tones.max(1).values > 1e-6

    @property
    def bandwidth_hz(self) -> Tensor:
        """The width around the best tone in which the answer is at least half of that to it, (channels,)."""
        hz = stimuli.frequencies_hz()
        strong = self.tones >= self.tones.max(1, keepdim=True).values / 2
        best = self.tones.argmax(1, keepdim=True)
        place = torch.arange(len(hz))
        weak = ~strong
        low = torch.where(weak & (place < best), place, -1).max(1).values + 1
        high = torch.where(weak & (place > best), place, len(hz)).min(1).values - 1
        edges = torch.cat([hz[:1], (hz[1:] + hz[:-1]) / 2, hz[-1:]])
        return edges[high + 1] - edges[low]

    @property
    def best_rate_hz(self) -> Tensor:
        """The rate of loudness that each channel answers to most, (channels,)."""
        return torch.tensor(stimuli.RATES_HZ)[self.modulated.argmax(1)].float()

    @property
    def threshold_db(self) -> Tensor:
        """The softest level of the best tone with a tenth of the answer to it at -20 dB, (channels,); NaN: none."""
        enough = self.levels >= _ANSWER * self.tones.max(1, keepdim=True).values
        levels = torch.tensor(stimuli.LEVELS_DB).float()
        softest = torch.where(enough, levels, torch.inf).min(1).values
        return torch.where(self.answers & softest.isfinite(), softest, torch.nan)

    @property
    def direction(self) -> Tensor:
        """From -1, answers to falling glides only, to 1, to rising ones only; (channels,)."""
        up, down = self.chirps[:, :2].clamp(min=0).sum(1), self.chirps[:, 2:].clamp(min=0).sum(1)
        return (up - down) / (up + down).clamp(min=1e-9)


def answers(network: nn.Module, layers: list[Layer]) -> list[Answers]:
    """What every channel answers to."""
    hz, rates = stimuli.frequencies_hz(), stimuli.RATES_HZ
    white = torch.randn(1, SAMPLES, generator=torch.Generator().manual_seed(1))
    white = white * 10 ** (stimuli.LEVEL_DB / 20) / 2**0.5 / white.square().mean().sqrt()
    sets = {
        "silence": torch.zeros(1, SAMPLES),
        "bands": stimuli.noise_bands(hz),
        "steady": torch.cat([stimuli.tones(torch.tensor([_CARRIER_HZ])), white]),
        "tone": stimuli.modulated(rates, _CARRIER_HZ),
        "noise": stimuli.modulated(rates, None),
        "chirps": stimuli.chirps(_SPEEDS),
        **{f"level {level}": stimuli.tones(hz, level) for level in stimuli.LEVELS_DB},
    }
    means = measured(network, torch.cat(list(sets.values())), layers, lambda _, output: output.mean(2))
    found = []
    for each in means:
        parts = dict(zip(sets, torch.split(each, [len(part) for part in sets.values()]), strict=True))
        above = {name: (part - parts["silence"]).T for name, part in parts.items()}
        tones = above[f"level {stimuli.LEVEL_DB:.0f}"]
        best = tones.argmax(1, keepdim=True)
        found.append(
            Answers(
                tones=tones,
                levels=torch.cat([above[f"level {level}"].gather(1, best) for level in stimuli.LEVELS_DB], 1),
                bands=above["bands"],
                modulated=torch.maximum(
                    above["tone"] - above["steady"][:, :1], above["noise"] - above["steady"][:, 1:]
                ),
                chirps=above["chirps"],
            )
        )
    return found


def moved_share(trained: Answers, start: Answers) -> float:
    """The share of the channels whose best frequency moved by more than a third of an octave."""
    one, other = trained.best_hz, start.best_hz
    both = (one > 0) & (other > 0)
    octaves = torch.log2(one.clamp(min=1) / other.clamp(min=1)).abs()
    return float(((octaves > _MOVED_OCTAVES) & both | (one > 0) ^ (other > 0)).float().mean())


def explain(subject: Subject) -> Finding:
    """A row a channel of every layer."""
    if not subject.layers:
        raise UnfitError("the network has no layer that is known, so no channel can be listened to")
    subject.report("sounds", 0.0)
    trained = answers(subject.network, subject.layers)
    subject.report("sounds at the start", 0.5)
    starts = answers(subject.start, subject.start_layers) if subject.start and subject.start_layers else None
    rows: list[list[Any]] = []
    found = []
    for place, layer in enumerate(subject.layers):
        one, other = trained[place], starts[place] if starts else None
        best, width, rate = one.best_hz, one.bandwidth_hz, one.best_rate_hz
        threshold, direction = one.threshold_db, one.direction
        for channel in range(layer.channels):
            hears = bool(one.answers[channel])
            rows.append(
                [
                    layer.number,
                    channel,
                    layer.field_ms,
                    float(best[channel]) if hears else None,
                    float(width[channel]) if hears else None,
                    float(stimuli.frequencies_hz()[one.bands[channel].argmax()]) if hears else None,
                    float(rate[channel]),
                    float(threshold[channel]),
                    float(direction[channel]),
                    float(other.best_hz[channel]) if other and bool(other.answers[channel]) else None,
                    float(other.bandwidth_hz[channel]) if other and bool(other.answers[channel]) else None,
                ]
            )
        if other:
            found.append(
                f"Layer {layer.number} (sees {layer.field_text}): {moved_share(one, other):.0%} of its channels "
                "prefer a tone more than a third of an octave from that before training."
            )
    return Finding(
        title="What each channel answers to",
        read="One row a channel: the tone, the noise band and the rate of loudness that it answers to most, the softest "
        "tone that it hears, and how much of the sound one of its values sees.",
        null="Grey: the same channel before training.",
        columns=(
            Quantity(title="Layer", kind="integer"),
            Quantity(title="Channel", kind="integer"),
            Quantity(title="Receptive field", unit="ms"),
            Quantity(title="Best frequency", unit="Hz", kind="integer"),
            Quantity(title="Bandwidth at half", unit="Hz", kind="integer"),
            Quantity(title="Best noise band", unit="Hz", kind="integer"),
            Quantity(title="Best modulation", unit="Hz", kind="integer"),
            Quantity(title="Threshold", unit="dB of full scale", kind="integer"),
            Quantity(title="Direction of glides", unit="-1 down, 1 up"),
            Quantity(title="Best frequency at start", unit="Hz", kind="integer"),
            Quantity(title="Bandwidth at start", unit="Hz", kind="integer"),
        ),
        rows=rows,
        picture=draw(subject, trained, starts),
        found=found,
    )


@quiet
def draw(subject: Subject, trained: list[Answers], starts: list[Answers] | None) -> Figure:
    """Best frequencies by layer over those at the start, and the joint answer of each layer to tones."""
    figure = picture(
        1000,
        940,
        "What each channel answers to",
        f"{subject.title} · run {subject.run}",
        "Above: the tone that each channel answers to most; grey: before training. Below: the mean answer of each",
        "layer's channels to tones, each as a share of its best; grey: before training.",
    )
    above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
    axes = above.subplots()
    for place in range(len(subject.layers)):
        for drawn, colour, shift in ((starts, NULL, 0.2), (trained, ACCENT, -0.2)):
            if drawn is None:
                continue
            best = drawn[place].best_hz
            best = best[best > 0].sort().values
            spread = place + shift + np.linspace(-0.15, 0.15, len(best)) if len(best) else np.zeros(0)
            axes.plot(spread, mel(best.numpy()), "o", color=colour, markersize=3)
    ticks = np.array([100, 500, 1000, 2000, 4000])
    axes.set_yticks(mel(ticks), labels=[f"{hz / 1000:g}" for hz in ticks])
    axes.set_ylabel("best frequency (kHz, mel scale)")
    are_many = len(subject.layers) > 9
    fields = [
        layer.field_text.replace(" ", "\n") if are_many else layer.field_text for layer in subject.layers
    ]
    labels = [f"{layer.number}\n{field}" for layer, field in zip(subject.layers, fields, strict=True)]
    axes.set_xticks(range(len(labels)), labels=labels, size=9 if are_many else 11)
    axes.set_xlabel("layer, and its receptive field")
    many = min(_MOST_PANELS, len(subject.layers))
    columns = 5 if many > 8 else min(4, many)
    rows = -(-many // columns)
    shown = np.unique(np.linspace(0, len(subject.layers) - 1, many).round()).astype(int)
    grid = below.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    x = mel(stimuli.frequencies_hz().numpy())
    for panel, place in zip(grid.flat, shown, strict=False):
        for drawn, colour in ((starts, NULL), (trained, CONTRAST)):
            if drawn:
                panel.plot(x, joint(drawn[place]).numpy(), color=colour)
        panel.set_title(f"layer {subject.layers[place].number}")
        panel.set_xticks(mel(ticks[[0, 2, 4]]), labels=[f"{hz / 1000:g}" for hz in ticks[[0, 2, 4]]])
        panel.set_ylim(0, 1)
    for panel in list(grid.flat)[len(shown) :]:
        panel.remove()
    below.supxlabel("frequency (kHz)", size=11)
    below.supylabel("mean answer", size=11)
    return figure


def joint(one: Answers) -> Tensor:
    """The mean over the channels of their answers to tones, each as a share of its best, (tones,)."""
    heard = one.tones[one.answers].clamp(min=0)
    return (
        (heard / heard.max(1, keepdim=True).values).mean(0) if len(heard) else torch.zeros(one.tones.shape[1])
    )
