"""What a network costs: parameters and arithmetic."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from math import prod
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor, nn

from models.architecture_table import NetworkSize, Table, sources_hash, unmeasured
from models.architectures import build, own
from models.architectures.broadcast import Broadcast
from models.architectures.convolution import Convolution
from models.data.audio import SAMPLES
from models.published import PARAMETERS
from models.recipe import WORDS

BUILD_SECONDS = 20
"""How long one network may take to be built."""


def parameters(network: nn.Module) -> int:
    """Trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def mflop_per_clip(network: nn.Module, samples: int = SAMPLES) -> float:
    """Millions of floating-point operations for one clip, a multiply-add counted as two.

    Counts convolutions and dense layers: each value they give is a sum over one filter.
    """
    return _forward(network, samples)[0]


def _forward(network: nn.Module, samples: int = SAMPLES) -> tuple[float, Tensor]:
    """The Mflop a clip, and the scores (clips, words) of no clip or one."""
    try:
        # No clip at all: the shapes are worked out and nothing is computed.
        return counted(network, torch.empty(0, samples))
    except RuntimeError:  # not every network takes an empty batch
        return counted(network, torch.zeros(1, samples))


def counted(network: nn.Module, clips: Tensor) -> tuple[float, Tensor]:
    """The Mflop a clip of what a network is given, and what it gives."""
    flop = 0

    def count(layer: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal flop
        flop += 2 * prod(output.shape[1:]) * layer.weight[0].numel()  # type: ignore[index]

    layers = [layer for layer in network.modules() if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    training = network.training
    try:
        with torch.inference_mode():
            scores = network.eval()(clips.to(next(network.parameters()).device))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return flop / 1e6, scores


def table() -> Table:
    """Every network with its size; one that cannot be built has an error instead."""
    networks = []
    hanging: dict[str, str] = {}
    for network in unmeasured():
        error = network.error or hanging.get(network.architecture)
        if error is None:
            try:
                with _limited(BUILD_SECONDS):
                    networks.append(network.model_copy(update=_sizes(network)))
                continue
            except (Exception, SystemExit) as failure:  # noqa: BLE001 - it must not cost the other networks
                error = f"{type(failure).__name__}: {failure}".strip(": ")[:500]
                if isinstance(failure, TimeoutError):
                    hanging[network.architecture] = error
        networks.append(network.model_copy(update={"error": error}))
    return Table(sources=sources_hash(), networks=tuple(networks))


def own_networks(file: Path) -> list[NetworkSize]:
    """The networks of a lab's own `file` with their sizes; one row with an error where it cannot be used."""
    name = file.stem
    networks = []
    try:
        # What the file prints must not stand in the answer.
        with redirect_stdout(sys.stderr), _limited(BUILD_SECONDS):
            ours = own.load(file, name)
        for depth in ours.depths:
            for batch_norm in (False, True) if "batch_norm" in ours.takes else (False,):
                with redirect_stdout(sys.stderr), _limited(BUILD_SECONDS):
                    built = ours.build(words=len(WORDS), depth=depth, dropout=0.0, batch_norm=batch_norm)
                    mflop, _ = counted(built, torch.zeros(1, SAMPLES))
                networks.append(
                    NetworkSize(
                        architecture=name,
                        depth=depth,
                        batch_norm=batch_norm,
                        parameters=parameters(built),
                        mflop_per_clip=mflop,
                        layer=_last_layer(built),
                        default=depth == ours.default_depth,
                    )
                )
    except own.OwnError as error:
        return [NetworkSize(architecture=name, depth=1, batch_norm=False, default=True, error=str(error))]
    return networks


def _sizes(network: NetworkSize) -> dict[str, object]:
    name, depth, batch_norm = network.architecture, network.depth, network.batch_norm
    built = build(name, len(WORDS), depth, 0.0, batch_norm)
    mflop, scores = _forward(built)
    if scores.shape[1:] != (len(WORDS),):
        raise ValueError(f"gives scores {tuple(scores.shape[1:])} a clip instead of one for each word")
    return {
        "parameters": parameters(built),
        "published_parameters": PARAMETERS.get((name, depth, batch_norm)),
        "mflop_per_clip": mflop,
        "layer": _last_layer(built),
    }


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    """Raises TimeoutError in what takes longer."""

    def give_up(*_: object) -> NoReturn:
        raise TimeoutError(f"not built after {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _last_layer(network: nn.Module) -> str:
    """The deepest convolution as the lab writes it: `CONV(taps, channels)`; empty where there is none."""
    layers = [
        module for module in network.modules() if isinstance(module, (Convolution, Broadcast, nn.Conv1d))
    ]
    if not layers:
        return ""
    last = layers[-1]
    if isinstance(last, Broadcast):
        return f"CONV({last.over_time.kernel_size[1]}, {last.outputs})"
    channels, _, taps = (last.filters if isinstance(last, Convolution) else last.weight).shape
    return f"CONV({taps}, {channels})"
