"""Receptive fields, measured on the network as it is: no formula for one family."""

import copy
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.data.audio import RATE_HZ, SAMPLES
from models.explain.outputs import collecting

_LONG = 6 * SAMPLES
"""Longer than a clip, so that its ends cut nothing off."""
_BATCH = 8


class Field(NamedTuple):
    """What the values of a layer see.

    Attributes:
        first_ms, step_ms: the middle of what the first value sees, and how far the next one is.
        width_ms: how much one value sees.
    """

    first_ms: float
    step_ms: float
    width_ms: float


def receptive_fields(network: nn.Module, layers: Sequence[tuple[str, int]]) -> list[Field]:
    """The receptive field of each layer, given by its path in the network and its length for one clip.

    A sample that is no number makes each value that sees it no number either, whatever lies between. For two
    values of each layer, smaller and smaller spans hold the first and the last sample that it sees.
    """
    if not layers:
        return []
    # One channel is enough where no part counts them, and clips of one second where others are refused.
    for narrow, samples in ((True, _LONG), (False, _LONG), (False, SAMPLES)):
        traced = _traceable(network, narrow=narrow)
        modules = [traced.get_submodule(name) for name, _ in layers]
        outputs = _missing(traced, modules, torch.zeros(1, samples))
        if all(output is not None for output in outputs):
            break
    lengths = [output.shape[1] for output in outputs if output is not None]
    at = [(length // 2, min(length // 2 + max(1, length // 8), length - 1)) for length in lengths]
    places = [(layer, place) for layer, pair in enumerate(at) for place in pair]
    left, right = _edges(traced, modules, places, samples)
    fields = []
    for layer, (one, other) in enumerate(at):
        middles = (left + right - 1)[2 * layer : 2 * layer + 2] / 2
        step = float(middles[1] - middles[0]) / (other - one) if other > one else SAMPLES / layers[layer][1]
        width = float((right - left)[2 * layer])
        fields.append(
            Field(*(1000 / RATE_HZ * value for value in (float(middles[0]) - one * step, step, width)))
        )
    return fields


def _edges(
    network: nn.Module, modules: Sequence[nn.Module], places: Sequence[tuple[int, int]], samples: int
) -> tuple[Tensor, Tensor]:
    """The first sample that each place (layer, value) sees, and the one after the last."""
    low = torch.zeros(2, len(places), dtype=torch.long)
    high = torch.full_like(low, samples)
    time = torch.arange(samples)
    while bool((high - low).max() > 1):
        before, after = (_between(low[side], high[side]) for side in (0, 1))
        hidden = torch.cat([time < before[:, None], time >= after[:, None]])
        outputs = _missing(network, modules, torch.where(hidden, torch.nan, torch.zeros(())))
        # All places learn from each clip: (places, clips).
        touched = torch.stack([outputs[layer][:, place] for layer, place in places])  # type: ignore[index]
        is_beyond = ~touched[:, : len(before)], touched[:, len(before) :]
        for side, tried in enumerate((before, after)):
            beyond = is_beyond[side]
            low[side] = torch.cat([low[side, :, None], beyond * tried], 1).amax(1)
            high[side] = torch.cat([high[side, :, None], torch.where(beyond, samples, tried)], 1).amin(1)
    return low[0].double(), high[1].double()


def _between(low: Tensor, high: Tensor) -> Tensor:
    """Samples that divide what lies between each `low` and `high` into parts: about a batch of them."""
    spans = {(begin, end) for begin, end in zip(low.tolist(), high.tolist(), strict=True) if end - begin > 1}
    parts = _BATCH // max(1, len(spans)) + 2
    tried = {
        begin + max(1, (end - begin) * part // parts) for begin, end in spans for part in range(1, parts)
    }
    return torch.tensor(sorted(tried), dtype=torch.long)


def _missing(network: nn.Module, modules: Sequence[nn.Module], clips: Tensor) -> list[Tensor | None]:
    """Which values of each layer are no number, (clips, time); None where the network did not get there."""
    kept: list[list[Tensor]] = [[] for _ in modules]

    def take(module: nn.Module, output: Tensor) -> None:
        kept[modules.index(module)].append(output.isnan().any(1))

    with collecting(modules, take):
        for some in torch.split(clips, _BATCH):
            # Dense layers want clips of one second; the layers before them have run by then.
            with suppress(RuntimeError):
                network(some)
    return [torch.cat(each)[: len(clips)] if each else None for each in kept]


def _traceable(network: nn.Module, *, narrow: bool) -> nn.Module:
    """A copy whose convolutions only hand on what is no number; `narrow`: with one channel, which is quick."""
    traced = copy.deepcopy(network).eval()
    for module in traced.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d)):
            module.forward = partial(_hand_on, module, 1 if narrow else module.out_channels)  # type: ignore[method-assign]
            # The C loops take the weights as they are; a hook keeps the convolution itself in use.
            module.register_forward_hook(lambda *_: None)
        elif narrow and isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.forward = _unchanged  # type: ignore[assignment, method-assign]
    return traced


def _unchanged(signal: Tensor) -> Tensor:
    return signal


def _hand_on(kernel: nn.Conv1d | nn.Conv2d, channels: int, signal: Tensor) -> Tensor:
    missing = signal.isnan().any(1, keepdim=True).float()
    taps = torch.ones(1, 1, *kernel.kernel_size)
    slide = functional.conv1d if isinstance(kernel, nn.Conv1d) else functional.conv2d
    reached = slide(missing, taps, None, kernel.stride, kernel.padding, kernel.dilation)
    shape = (-1, channels, *(-1 for _ in kernel.kernel_size))
    return torch.where(reached > 0.5, torch.nan, torch.zeros(())).expand(*shape)
