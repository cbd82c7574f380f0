"""What a network costs: parameters and arithmetic."""

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from models.architectures import ARCHITECTURES, Convolution, Network, build
from models.published import PARAMETERS


def parameters(network: nn.Module) -> int:
    """Trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def mflop_per_clip(network: nn.Module) -> float:
    """Millions of floating-point operations to hear one clip, a multiply-add counted as two."""
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 16000, device=device))
    network.train(training)
    return float(counter.get_total_flops()) / 1e6


def table(words: int = 16) -> list[dict[str, Any]]:
    """Every architecture at every depth, with and without batch norm; nothing is computed or allocated."""
    rows = []
    for name, architecture in ARCHITECTURES.items():
        for depth in architecture.depths:
            for batch_norm in (False, True):
                with torch.device("meta"):
                    network = build(name, words, depth, 0.0, batch_norm)
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
