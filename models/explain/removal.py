"""Networks and sound with a part removed, and what that costs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.architectures.cost import counted, mflop_per_clip
from models.data.audio import RATE_HZ
from models.explain.layers import Layer
from models.explain.subject import Subject, scores

MOST_CLIPS = 192
_BUDGET_TFLOP = 1.0
"""Of arithmetic for the parts of one kind, such as the channels of a layer: fewer clips for larger networks."""
_BATCH = 64


@dataclass(frozen=True)
class Losses:
    """What is lost without each of n parts.

    Attributes:
        accuracy: (n,) share of the clips that are no longer right, those newly right taken off.
        nats: (n,) rise of the mean cross entropy.
        by_word: (n, words) as accuracy, of the clips of each word.
        error: standard error of the largest of `accuracy` by chance: of paired differences.
        clips: how many were tested.
    """

    accuracy: Tensor
    nats: Tensor
    by_word: Tensor
    error: float
    clips: int


def channel_losses(
    subject: Subject, layer: Layer, report: Callable[[float], None] = lambda _: None
) -> Losses:
    """What is lost when each channel of a layer is silenced."""
    return group_losses(subject, layer, [[channel] for channel in range(layer.channels)], report)


def group_losses(
    subject: Subject,
    layer: Layer,
    groups: Sequence[Sequence[int]],
    report: Callable[[float], None] = lambda _: None,
) -> Losses:
    """What is lost when the channels of each group are silenced together."""
    mflop = Rest(subject.network, layer, subject.sound[:1]).mflop
    chosen = clips_within(subject, mflop * len(groups))
    rest = Rest(subject.network, layer, subject.sound[chosen])
    without = []
    for number, group in enumerate(groups, start=1):
        without.append(rest.scores(group))
        report(number / len(groups))
    return losses(rest.scores(), without, subject.labels[chosen], len(subject.words))


def clips_within(subject: Subject, mflop: float) -> Tensor:
    """The clips to test, where one costs `mflop`: so many that wide networks take no longer."""
    affordable = int(_BUDGET_TFLOP * 1e6 / max(mflop, 1e-9))
    return subject.a_few(max(4 * len(subject.words), min(MOST_CLIPS, affordable)))


def losses(whole: Tensor, without: Sequence[Tensor], labels: Tensor, words: int) -> Losses:
    """Compares scores (clips, words) with those without each part."""
    right = (whole.argmax(1) == labels).float()
    nats = functional.cross_entropy(whole, labels)
    lost = [right - (each.argmax(1) == labels).float() for each in without]
    member = functional.one_hot(labels, words).float()
    counts = member.sum(0).clamp(min=1)
    deviation = max((float(each.std()) for each in lost), default=0.0) if len(labels) > 1 else 0.0
    return Losses(
        accuracy=torch.stack([each.mean() for each in lost]),
        nats=torch.stack([functional.cross_entropy(each, labels) - nats for each in without]),
        by_word=torch.stack([each @ member / counts for each in lost]),
        error=deviation / len(labels) ** 0.5,
        clips=len(labels),
    )


class Rest:
    """A network from a layer's output on; what comes before it, and the layer, are computed once.

    Where the layer is no part of a sequence, or the parts do not simply follow each other, all runs again.

    Attributes:
        mflop: what `scores` costs for one clip.
    """

    def __init__(self, network: nn.Module, layer: Layer, sound: Tensor) -> None:
        self._network, self._layer, self._sound = network.eval(), layer, sound
        self._outputs: Tensor | None = None
        self._after = nn.Sequential()
        self.mflop = mflop_per_clip(network)
        parts = list(network) if isinstance(network, nn.Sequential) else []
        if layer.module not in parts:
            return
        kept: list[Tensor] = []
        hook = layer.module.register_forward_hook(lambda _part, _inputs, output: kept.append(output))
        try:
            whole = scores(network, sound)
        finally:
            hook.remove()
        self._after = nn.Sequential(*parts[parts.index(layer.module) + 1 :]).eval()
        self._outputs = torch.cat(kept)
        if not torch.allclose(self.scores(), whole, atol=1e-4, rtol=1e-3):
            self._outputs = None
            return
        self.mflop = counted(self._after, self._outputs[:1])[0]

    @torch.inference_mode()
    def scores(self, silent: Sequence[int] = ()) -> Tensor:
        """(clips, words), where some channels of the layer give 0 at every moment."""
        if self._outputs is None:
            with silenced(self._layer.module, silent):
                return scores(self._network, self._sound)
        given = []
        for some in torch.split(self._outputs, _BATCH):
            signal = without_channels(some, silent) if silent else some
            given.append(self._after(signal).float())
        return torch.cat(given)


def without_channels(output: Tensor, channels: Sequence[int]) -> Tensor:
    """A layer's output with 0 for some channels."""
    changed = output.clone(memory_format=torch.preserve_format)
    changed[:, list(channels)] = 0
    return changed


@contextmanager
def silenced(module: nn.Module, channels: Sequence[int]) -> Iterator[None]:
    """Has the channels of a layer give 0 at every moment."""
    hook = module.register_forward_hook(lambda _module, _inputs, output: without_channels(output, channels))
    try:
        yield
    finally:
        hook.remove()


def without_band(sound: Tensor, low_hz: float, high_hz: float) -> Tensor:
    """Clips (n, samples) without the frequencies of a band."""
    spectrum = torch.fft.rfft(sound)
    hz = torch.fft.rfftfreq(sound.shape[1], 1 / RATE_HZ)
    spectrum[:, (hz >= low_hz) & (hz < high_hz)] = 0
    kept: Tensor = torch.fft.irfft(spectrum, sound.shape[1])
    return kept
