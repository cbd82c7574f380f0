"""The layers of any network: which they are, what they give, and which part of a clip each value sees."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from models.architectures.convolution import Block
from models.data.audio import SAMPLES
from models.explain.fields import receptive_fields
from models.explain.outputs import collecting

BATCH = 32


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        number: 1 is the first one that runs.
        name: its path in the network.
        channels, length: of its output.
        first_ms, step_ms: the middle of what its first value sees, and how far the next one is; in ms.
        field_ms: how much of a clip one value sees.
    """

    number: int
    name: str
    module: nn.Module
    channels: int
    length: int
    first_ms: float = 0.0
    step_ms: float = 0.0
    field_ms: float = 0.0

    @property
    def field_text(self) -> str:
        """`field_ms` for people."""
        return f"{self.field_ms:,.0f} ms" if self.field_ms >= 100 else f"{self.field_ms:.3g} ms"

    def times_ms(self) -> Tensor:
        """The middle of what each value sees, (length,)."""
        return self.first_ms + self.step_ms * torch.arange(self.length)


def find_layers(network: nn.Module) -> list[Layer]:
    """The convolutions over time in the order in which they run, with their receptive fields.

    A `Block`, such as a convolution with its pool and ReLU, is one; so is any other one- or two-dimensional
    convolution whose output is a curve over time for each channel. A layer that runs twice counts once.
    """
    network.eval()
    inside = {
        id(part)
        for module in network.modules()
        if isinstance(module, Block)
        for part in module.modules()
        if part is not module
    }
    candidates: dict[nn.Module, str] = {
        module: name
        for name, module in network.named_modules()
        if isinstance(module, (Block, nn.Conv1d, nn.Conv2d)) and id(module) not in inside
    }
    ran: dict[nn.Module, Tensor] = {}
    with collecting(list(candidates), ran.setdefault):
        network(torch.zeros(2, SAMPLES))
    found = [
        Layer(0, candidates[module], module, output.shape[1], output.shape[2])
        for module, output in ran.items()
        if output.shape[2] > 1
    ]
    return with_fields(network, [replace(layer, number=number) for number, layer in enumerate(found, 1)])


def same_layers(network: nn.Module, layers: Sequence[Layer]) -> list[Layer]:
    """The same layers in another network of the same architecture."""
    return [replace(layer, module=network.get_submodule(layer.name)) for layer in layers]


def measured(
    network: nn.Module,
    sound: Tensor,
    layers: Sequence[Layer],
    reduce: Callable[[Layer, Tensor], Tensor],
    report: Callable[[float], None] = lambda _: None,
) -> list[Tensor]:
    """What `reduce` makes of each layer's output, (batch, channels, time), for all clips (n, 16000).

    The first axis of what it returns is the batch.
    """
    network.eval()
    by_module = {layer.module: layer for layer in layers}
    kept: dict[nn.Module, list[Tensor]] = {layer.module: [] for layer in layers}

    def take(module: nn.Module, output: Tensor) -> None:
        if len(kept[module]) < batch:  # a layer that runs twice counts once
            kept[module].append(reduce(by_module[module], output.float()))

    with collecting([layer.module for layer in layers], take):
        for start in range(0, len(sound), BATCH):
            batch = start // BATCH + 1
            network(sound[start : start + BATCH])
            report(min(1.0, (start + BATCH) / len(sound)))
    return [torch.cat(kept[layer.module]) for layer in layers]


def with_fields(network: nn.Module, layers: Sequence[Layer]) -> list[Layer]:
    """The layers with what their values see."""
    fields = receptive_fields(network, [(layer.name, layer.length) for layer in layers])
    return [
        replace(layer, first_ms=field.first_ms, step_ms=field.step_ms, field_ms=field.width_ms)
        for layer, field in zip(layers, fields, strict=True)
    ]
