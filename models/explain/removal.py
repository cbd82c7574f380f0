"""Networks and sound with a part removed, and what that costs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.architectures.cost import mflop_per_clip
from models.data.audio import RATE_HZ
from models.explain.layers import Layer
from models.explain.subject import Subject, scores

MOST_CLIPS = 192
_BUDGET_TFLOP = 1.0
"""Of arithmetic for the channels of one layer: fewer clips for wider networks."""


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
    chosen = subject.a_few(clips_within(subject, layer))
    rest = Rest(subject.network, layer, subject.sound[chosen])
    whole = rest.scores()
    without = []
    for channel in range(layer.channels):
        with silenced(layer.module, [channel]):
            without.append(rest.scores())
        report((channel + 1) / layer.channels)
    return losses(whole, without, subject.labels[chosen], len(subject.words))


def clips_within(subject: Subject, layer: Layer) -> int:
    """How many clips are tested without each channel, so that wide networks take no longer."""
    tflop = mflop_per_clip(subject.network) * layer.channels / 1e6
    return max(4 * len(subject.words), min(MOST_CLIPS, int(_BUDGET_TFLOP / max(tflop, 1e-9))))


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
    """A network from the part that holds a layer on; what comes before it is computed once.

    Where the parts do not simply follow each other, all of it runs again.
    """

    def __init__(self, network: nn.Module, layer: Layer, sound: Tensor) -> None:
        self._network = network.eval()
        self._sound = sound
        self._inputs: Tensor | None = None
        if not isinstance(network, nn.Sequential):
            return
        self._parts = list(network)
        self._first = next(
            place
            for place, part in enumerate(self._parts)
            if any(module is layer.module for module in part.modules())
        )
        kept: list[Tensor] = []
        hook = self._parts[self._first].register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
        try:
            self._whole = scores(network, sound)
        finally:
            hook.remove()
        self._inputs = torch.cat(kept)
        if not torch.allclose(self.scores(), self._whole, atol=1e-4, rtol=1e-3):
            self._inputs = None

    @torch.inference_mode()
    def scores(self) -> Tensor:
        """(clips, words)."""
        if self._inputs is None:
            return scores(self._network, self._sound)
        given = []
        for some in torch.split(self._inputs, 64):
            signal = some
            for part in self._parts[self._first :]:
                signal = part(signal)
            given.append(signal.float())
        return torch.cat(given)


@contextmanager
def silenced(module: nn.Module, channels: Sequence[int]) -> Iterator[None]:
    """Has the channels of a layer give 0 at every moment."""
    places = torch.as_tensor(channels)

    def silence(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        changed = output.clone()
        changed[:, places] = 0
        return changed

    hook = module.register_forward_hook(silence)
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
