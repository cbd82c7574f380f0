"""Networks and sound with a part removed, and what that costs."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.architectures.convolution import Convolution
from models.architectures.fused import Silencing
from models.architectures.fused_fits import fits_layer
from models.data.audio import RATE_HZ
from models.explain.layers import Layer
from models.explain.subject import Subject, in_turn, scores

SECONDS = 45.0
"""How long the parts of a network may be tried: on as many clips as that allows, however large the network is."""
_ROUND = 32
"""Clips that are tried together."""
_VALUES = 2_000_000
"""About so many values of a layer are computed together: parts of small layers, several at a time."""


@dataclass(frozen=True)
class Losses:
    """What is lost without each of n parts.

    Attributes:
        accuracy: (n,) share of the clips that are no longer right, those newly right taken off.
        nats: (n,) rise of the mean cross entropy.
        by_word: (n, words) as accuracy, of the clips of each word.
        errors: (n,) standard errors of `accuracy`, which are those of paired differences.
        nats_errors: (n,) those of `nats`.
        clips: how many were tested.
    """

    accuracy: Tensor
    nats: Tensor
    by_word: Tensor
    errors: Tensor
    nats_errors: Tensor
    clips: int


Groups = Sequence[Sequence[int]]
"""Channels of a layer that are silenced together."""


def tried(
    subject: Subject,
    silent: Sequence[tuple[Layer, Groups]],
    bands_hz: Sequence[tuple[float, float]] = (),
    *,
    seconds: float = SECONDS,
    report: Callable[[float], None] = lambda _: None,
) -> list[Losses]:
    """What is lost without each group of channels, for each layer; last, without each band of the sound.

    All parts are tried on the same clips: in turn one of each word, as many as `seconds` allow, all if they do.
    """
    network = subject.network.eval()
    order = in_turn(subject.labels)
    began = time.monotonic()
    rests = [Rest(network, layer, subject.sound[order[:2]]) for layer, _ in silent]
    whole: list[Tensor] = []
    without: list[list[Tensor]] = [[] for _ in range(len(silent) + bool(bands_hz))]
    count = 0
    for some in torch.split(order, _ROUND):
        sound = subject.sound[some]
        outputs, given = run(network, [layer for layer, _ in silent], sound)
        whole.append(given)
        for place, (layer, groups) in enumerate(silent):
            without[place].append(rests[place].scores(sound, outputs.get(layer.name), groups))
        if bands_hz:
            heard = [scores(network, without_band(sound, *edges)) for edges in bands_hz]
            without[-1].append(torch.stack(heard))
        count += len(some)
        passed = time.monotonic() - began
        report(max(count / len(order), min(1.0, passed / seconds)))
        # The first round is the slowest: memory and threads are new.
        if passed * (1 + _ROUND / count) > seconds:
            break
    labels = subject.labels[order[:count]]
    return [losses(torch.cat(whole), torch.cat(each, 1), labels, len(subject.words)) for each in without]


@torch.inference_mode()
def run(network: nn.Module, layers: Sequence[Layer], sound: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """The first output of each layer by its name, and the scores (clips, words)."""
    outputs: dict[str, Tensor] = {}

    def keep(layer: Layer, _part: nn.Module, _inputs: object, output: Tensor) -> None:
        outputs.setdefault(layer.name, output)

    hooks = [layer.module.register_forward_hook(partial(keep, layer)) for layer in layers]
    try:
        return outputs, network(sound).float()
    finally:
        for hook in hooks:
            hook.remove()


def losses(whole: Tensor, without: Tensor, labels: Tensor, words: int) -> Losses:
    """Compares scores (clips, words) with those without each part, (parts, clips, words)."""
    right = (whole.argmax(1) == labels).float()
    nats = functional.cross_entropy(whole, labels, reduction="none")
    lost = right - (without.argmax(2) == labels).float()
    member = functional.one_hot(labels, words).float()
    risen = torch.stack([functional.cross_entropy(each, labels, reduction="none") - nats for each in without])
    return Losses(
        accuracy=lost.mean(1),
        nats=risen.mean(1),
        by_word=lost @ member / member.sum(0).clamp(min=1),
        errors=_standard_errors(lost),
        nats_errors=_standard_errors(risen),
        clips=len(labels),
    )


def _standard_errors(values: Tensor) -> Tensor:
    """Of the mean of each row of values (n, clips); 0 for one clip."""
    clips = values.shape[1]
    return values.std(1) / clips**0.5 if clips > 1 else values.new_zeros(len(values))


class Rest:
    """A network from a layer's output on.

    Where the layer is no part of a sequence, or the parts do not simply follow each other, all runs again.
    """

    def __init__(self, network: nn.Module, layer: Layer, sound: Tensor) -> None:
        """Args: sound: a few clips to see by whether the parts follow each other."""
        self._network, self._layer = network.eval(), layer
        self._after: nn.Sequential | None = None
        parts = list(network) if isinstance(network, nn.Sequential) else []
        if layer.module not in parts:
            return
        self._after = nn.Sequential(*parts[parts.index(layer.module) + 1 :]).eval()
        outputs, whole = run(network, [layer], sound)
        again = self.scores(sound, outputs[layer.name], [[]])[0]
        if not torch.allclose(again, whole, atol=1e-4, rtol=1e-3):
            self._after = None

    @torch.inference_mode()
    def scores(self, sound: Tensor, output: Tensor | None, groups: Groups) -> Tensor:
        """(groups, clips, words), where the channels of each group give 0 at every moment.

        Args:
            sound: (clips, samples).
            output: what the layer gives for it.
            groups: see `Groups`; an empty one silences nothing.
        """
        if self._after is None or output is None:
            return torch.stack([self._again(sound, group) for group in groups])
        first = self._after[0] if len(self._after) else None
        after: nn.Module = self._after
        silence: Callable[[Sequence[int]], Tensor] = partial(without_channels, output)
        # Without one input, the next layer is what it was less the share of that input.
        if type(first) is Convolution and fits_layer(
            output, first.convolution, first.norm, pool=first.pool, pool_all=first.pool_all
        ):
            after = self._after[1:]
            silence = Silencing(
                output, first.convolution, first.norm, pool=first.pool, pool_all=first.pool_all
            )
        given = []
        together = max(1, _VALUES // max(1, output.numel()))
        for start in range(0, len(groups), together):
            some = groups[start : start + together]
            signal = torch.cat([silence(group) for group in some])
            given.append(after(signal).float().unflatten(0, (len(some), len(output))))
        return torch.cat(given)

    def _again(self, sound: Tensor, group: Sequence[int]) -> Tensor:
        with silenced(self._layer.module, group):
            return scores(self._network, sound)


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
