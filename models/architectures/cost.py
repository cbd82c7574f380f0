"""What a network costs: parameters and arithmetic."""

from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from models.architectures import ARCHITECTURES, Convolution, Network, build
from models.data.audio import SAMPLES
from models.published import PARAMETERS


def parameters(network: nn.Module) -> int:
    """Trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def mflop_per_clip(network: nn.Module) -> float:
    """Millions of floating-point operations to hear one clip, a multiply-add counted as two.

    Counts convolutions and dense layers: each value they give is a sum over one filter.
    """
    flop = 0

    def count(layer: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal flop
        flop += 2 * prod(output.shape[1:]) * layer.weight[0].numel()  # type: ignore[index]

    layers = [layer for layer in network.modules() if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    training = network.training
    with torch.inference_mode():
        # No clip at all: the shapes are worked out and nothing is computed.
        network.eval()(torch.empty(0, SAMPLES, device=next(network.parameters()).device))
    network.train(training)
    for hook in hooks:
        hook.remove()
    return flop / 1e6


def table(words: int = 16) -> list[dict[str, Any]]:
    """Every architecture at every depth, with and without batch norm; nothing is computed."""
    rows = []
    for name, architecture in ARCHITECTURES.items():
        for depth in architecture.depths:
            for batch_norm in (False, True):
                with torch.device("meta"):
                    network = build(name, words, depth, 0.0, batch_norm)
                # On the meta device, torch runs these layers in Python and imports its compiler for it.
                network.to_empty(device="cpu")
                rows.append(
                    {
                        "architecture": name,
                        "depth": depth,
                        "batch_norm": batch_norm,
                        "parameters": parameters(network),
                        "published_parameters": PARAMETERS.get((name, depth, batch_norm)),
                        "mflop_per_clip": mflop_per_clip(network),
                        "layer": _last_layer(network),
                        "default": depth == architecture.default_depth,
                    }
                )
    return rows


def _last_layer(network: Network) -> str:
    """The deepest convolution as the lab writes it: `CONV(taps, channels)`."""
    last = [module for module in network if isinstance(module, Convolution)][-1]
    channels, _, taps = last.filters.shape
    return f"CONV({taps}, {channels})"
