"""What a network costs: parameters and arithmetic."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils.rnn import PackedSequence

from models.architecture_table import NetworkSize, Table, sources_hash, unmeasured
from models.architectures import build, own
from models.architectures.broadcast import Broadcast
from models.architectures.convolution import Convolution
from models.data.audio import SAMPLES
from models.published import PARAMETERS
from models.recipe import WORDS

BUILD_SECONDS = 20
"""How long one network may take to be built."""
_COUNTED = (_ConvNd, nn.Linear, nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention)


def parameters(network: nn.Module) -> int:
    """Trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def mflop_per_clip(network: nn.Module, samples: int = SAMPLES) -> float:
    """Millions of floating-point operations for one clip, a multiply-add counted as two.

    Counts the products of weights and signals, and those inside attention; what has no layer in torch is not seen.
    """
    return counted(network, torch.zeros(1, samples))[0]


def counted(network: nn.Module, clip: Tensor) -> tuple[float, Tensor]:
    """The Mflop of a network that is given a clip (1, samples), and the scores (1, words)."""
    products = 0

    def count(layer: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        nonlocal products
        products += _products(layer, inputs, named, output)

    hooks = [
        layer.register_forward_hook(count, with_kwargs=True)
        for layer in network.modules()
        if isinstance(layer, _COUNTED)
    ]
    training = network.training
    try:
        with torch.inference_mode():
            scores = network.eval()(clip.to(next(network.parameters()).device))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return 2 * products / 1e6, scores


def _products(layer: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Any) -> int:
    """Multiply-adds of a call of one of the `_COUNTED`."""
    if isinstance(layer, nn.MultiheadAttention):
        by_name = dict(zip(("query", "key", "value"), inputs, strict=False)) | named
        query, key, value = (by_name[name] for name in ("query", "key", "value"))
        width = layer.embed_dim
        asked, told = query[..., 0].numel(), key[..., 0].numel()
        sequence = key.shape[0 if key.ndim == 2 or not layer.batch_first else 1]
        projected = 2 * asked * width + told * (key.shape[-1] + value.shape[-1])
        return int((projected + 2 * asked * sequence) * width)
    if isinstance(layer, (nn.RNNBase, nn.RNNCellBase)):
        # Every step multiplies with all of the matrices once.
        weights = sum(each.numel() for name, each in layer.named_parameters() if name.startswith("weight"))
        given = inputs[0] if inputs else named["input"]
        steps: Tensor = given.data if isinstance(given, PackedSequence) else given
        return steps[..., 0].numel() * weights
    # Each value that they give is a sum over one filter; of the transposed ones, each that they are given.
    values = output
    if isinstance(layer, _ConvTransposeNd):
        values = inputs[0] if inputs else named["input"]
    return int(values.numel() * layer.weight[0].numel())  # type: ignore[index]


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
                    mflop = mflop_per_clip(built)
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
    mflop, scores = counted(built, torch.zeros(1, SAMPLES))
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
