"""What each layer of a network makes of a sound, from one pass with one layer's output in memory at a time."""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.architectures import build_for
from models.architectures.convolution import Block, Convolution, Network
from models.architectures.own import OwnError
from models.brain.errors import BrainError
from models.brain.sounds import RATE_HZ
from models.data.audio import SAMPLES
from models.run_folder import RunFolder
from models.run_reader import read_recipe, read_result
from models.training.loop import epoch_seed

Floats = NDArray[np.floating]
Weights = Literal["network", "initialisation", "permuted"]

_BIN_SAMPLES = 800
"""Features of continuous sounds are averaged over at most so many samples (20 Hz), or one step of a deeper layer."""
_HOP_SAMPLES = 2000
"""Between two windows that the dense layers see; one step of the last convolution where that is longer."""
_PIECE_SAMPLES = 20 * RATE_HZ
"""Longer sounds go through the network in pieces that overlap by its receptive field."""


@dataclass(frozen=True)
class Series:
    """The output of one layer for one sound."""

    layer: str
    values: Floats
    """(bins, channels), the mean of each bin."""
    samples: NDArray[np.intp]
    """(bins,): how many outputs each bin holds."""
    times_s: Floats
    """(bins,): the middle of each bin, from the start of the sound."""

    @property
    def mean(self) -> Floats:
        """(channels,): the mean over the whole sound."""
        return np.asarray(self.samples @ self.values / self.samples.sum())


def network_of(folder: RunFolder, weights: Weights = "network") -> nn.Module:
    """The network of a finished run: as trained, as it began, or with the weights of each tensor permuted.

    Raises:
        BrainError: the run has no result or no checkpoint.
        BrokenRunError: a file of the run cannot be read.
    """
    recipe, result = read_recipe(folder), read_result(folder)
    if recipe is None or result is None:
        raise BrainError(
            f"run {folder.id} is no finished training: choose one that `sheetrack results` lists"
        )
    torch.manual_seed(epoch_seed(recipe.seed, 0))  # as the training did
    try:
        network = build_for(result.recipe, len(result.words), folder.architecture_file).eval()
    except (OwnError, OSError) as error:
        raise BrainError(f"the network of run {folder.id} cannot be built: {error}") from None
    if weights == "initialisation" and not folder.start_file.exists():
        return network
    file = folder.start_file if weights == "initialisation" else folder.checkpoint_file
    try:
        content = torch.load(file, "cpu", weights_only=True)
        state = content if weights == "initialisation" else content["best_network"]
        if weights == "permuted":
            random = torch.Generator().manual_seed(recipe.seed)
            state = {name: _permuted(tensor, random) for name, tensor in state.items()}
        network.load_state_dict(state)
    except FileNotFoundError:
        raise BrainError(
            f"the weights of run {folder.id} are not here: map it on the server that trained it"
        ) from None
    except (OSError, RuntimeError, KeyError, EOFError, pickle.UnpicklingError):
        raise BrainError(f"{file} cannot be read: train the recipe again") from None
    return network


def _permuted(tensor: Tensor, random: torch.Generator) -> Tensor:
    return tensor.flatten()[torch.randperm(tensor.numel(), generator=random)].reshape(tensor.shape)


def input_of(folder: RunFolder) -> tuple[int, int]:
    """The sampling rate (Hz) that a finished run expects, and the samples of one of its windows."""
    result = read_result(folder)
    return (result.recipe.sample_rate, result.recipe.samples) if result else (RATE_HZ, SAMPLES)


def layer_names(network: nn.Module, samples: int = SAMPLES) -> list[str]:
    """Convolutions, dense layers and the scores, from the first to the last."""
    if not _is_plain(network):
        return [
            each.layer for each in _windowed(network, np.zeros(samples, dtype=np.float32), RATE_HZ, samples)
        ]
    convolutions = sum(isinstance(module, Convolution) for module in network)
    dense = sum(isinstance(module, nn.Linear) for module in network)
    names = [f"conv{number}" for number in range(1, convolutions + 1)]
    return [*names, *(f"dense{number}" for number in range(1, dense)), *(["scores"] if dense else [])]


def _is_plain(network: nn.Module) -> TypeGuard[Network]:
    """Whether it is convolutions and a classifier alone, so that a sound of any length can be convolved as a whole."""
    if not isinstance(network, Network):
        return False
    modules = list(network)
    flatten = next(place for place, module in enumerate(modules) if isinstance(module, nn.Flatten))
    return all(type(module) is Convolution for module in modules[:flatten])


def series(
    network: nn.Module, sound: Floats, rate_hz: int = RATE_HZ, samples: int = SAMPLES
) -> Iterator[Series]:
    """The output of each layer for a whole sound, in the order of `layer_names`.

    The sound is convolved as a whole. Dense layers, made for one window, see each window of the last
    convolution's output. Outputs are those after pooling and ReLU. Of networks that are more than convolutions and a
    classifier, all layers see windows.
    """
    if not _is_plain(network):
        yield from _windowed(network, sound, rate_hz, samples)
        return
    convolutions = [module for module in network if isinstance(module, Convolution)]
    grids = _grids(convolutions)
    whole = torch.from_numpy(np.pad(sound, (0, max(0, samples - len(sound)))).astype(np.float32))
    common = max((grid.step for grid in grids if grid.step <= _BIN_SAMPLES), default=1)
    found: list[list[Floats]] = [[] for _ in convolutions]
    counts: list[list[NDArray[np.intp]]] = [[] for _ in convolutions]
    last: list[Tensor] = []
    with torch.inference_mode():
        for piece, skipped, kept in _pieces(whole, grids[-1]):
            signal = piece[None, None, None].contiguous(memory_format=torch.channels_last)
            for number, (convolution, grid) in enumerate(zip(convolutions, grids, strict=True)):
                signal = convolution(signal)
                first = skipped // grid.step
                part = signal[0, :, 0, first : first + kept // grid.step if kept else None]
                values, counted = _binned(part, max(1, common // grid.step))
                found[number].append(values)
                counts[number].append(counted)
            last.append(part)
        for number, grid in enumerate(grids):
            values, counted = np.concatenate(found[number]), np.concatenate(counts[number])
            starts = np.concatenate([[0], np.cumsum(counted)[:-1]])
            middle = grid.first + (starts + (counted - 1) / 2) * grid.step
            yield Series(f"conv{number + 1}", values, counted, middle / rate_hz)
        yield from _dense(network, torch.cat(last, dim=1), grids[-1], rate_hz)


def _windowed(network: nn.Module, sound: Floats, rate_hz: int, samples: int) -> Iterator[Series]:
    """The outputs of convolutions and dense layers, means over windows of a second that overlap by half."""
    layers = [layer for layer in network.modules() if isinstance(layer, (Block, nn.Conv1d, nn.Linear))]
    padded = np.pad(sound, (0, max(0, samples - len(sound)))).astype(np.float32)
    starts = np.arange(0, len(padded) - samples + 1, samples // 2)
    found: dict[nn.Module, list[Floats]] = {}

    def collect(layer: nn.Module, _inputs: object, output: Tensor) -> None:
        signal = output if isinstance(layer, (Block, nn.Linear)) else torch.relu(output)
        # (1, channels, ..., time), or (1, ..., units) of a dense layer
        means = (
            signal.reshape(-1, signal.shape[-1]).mean(0)
            if isinstance(layer, nn.Linear)
            else signal[0].flatten(1).mean(1)
        )
        found.setdefault(layer, []).append(means.float().numpy())

    hooks = [layer.register_forward_hook(collect) for layer in layers]
    try:
        with torch.inference_mode():
            for start in starts:
                network(torch.from_numpy(padded[start : start + samples])[None])
    finally:
        for hook in hooks:
            hook.remove()
    names = {"conv": 0, "dense": 0}
    last = [layer for layer in found if isinstance(layer, nn.Linear)][-1:]
    for layer, rows in found.items():
        kind = "dense" if isinstance(layer, nn.Linear) else "conv"
        names[kind] += 1
        name = "scores" if [layer] == last else f"{kind}{names[kind]}"
        values = np.array(rows[: len(starts)])  # a layer that is used twice counts once
        ones = np.ones(len(values), dtype=np.intp)
        yield Series(name, values, ones, (starts[: len(values)] + samples / 2) / rate_hz)


def _dense(network: Network, maps: Tensor, grid: "_Grid", rate_hz: int) -> Iterator[Series]:
    """The dense layers on each window of the last convolution's output, (channels, time)."""
    modules = list(network)
    classifier = modules[sum(isinstance(module, Convolution) for module in modules) :]
    dense = [module for module in classifier if isinstance(module, nn.Linear)]
    if not dense:
        return
    frames = dense[0].in_features // len(maps)
    hop = max(1, round(_HOP_SAMPLES / grid.step))
    windows = maps.unfold(1, min(frames, maps.shape[1]), hop).permute(1, 0, 2)  # (windows, channels, frames)
    signal: Tensor = windows
    middle = grid.first + (np.arange(len(windows)) * hop + (frames - 1) / 2) * grid.step
    number = 0
    for place, module in enumerate(classifier):
        signal = module(signal)
        is_linear, after = isinstance(module, nn.Linear), classifier[place + 1 : place + 2]
        number += is_linear
        if (is_linear and not (after and isinstance(after[0], nn.ReLU))) or (
            isinstance(module, nn.ReLU) and number
        ):
            name = "scores" if number == len(dense) else f"dense{number}"
            ones = np.ones(len(signal), dtype=np.intp)
            yield Series(name, signal.float().numpy(), ones, middle / rate_hz)


def _binned(maps: Tensor, size: int) -> tuple[Floats, NDArray[np.intp]]:
    """The means over `size` outputs, (bins, channels), and how many each holds: fewer in the last."""
    length = maps.shape[1]
    whole = length // size * size
    means = maps[:, :whole].reshape(len(maps), -1, size).mean(-1)
    counts = np.full(means.shape[1], size, dtype=np.intp)
    if whole < length:
        means = torch.cat([means, maps[:, whole:].mean(-1, keepdim=True)], dim=1)
        counts = np.append(counts, length - whole)
    return means.T.float().numpy(), counts


@dataclass(frozen=True)
class _Grid:
    """Where the outputs of a layer lie on the sound, in samples."""

    step: int
    first: float
    """The middle of what the first output sees."""
    field: int
    """How much of the sound one output sees."""


def _grids(convolutions: list[Convolution]) -> list[_Grid]:
    grids, step, first, field = [], 1, 0.0, 1
    for module in convolutions:
        taps, padding = int(module.convolution.kernel_size[1]), int(module.convolution.padding[1])
        first += ((taps - 1) / 2 - padding) * step
        field += (taps - 1) * step
        first += (module.pool - 1) / 2 * step
        field += (module.pool - 1) * step
        step *= module.pool
        grids.append(_Grid(step, first, field))
    return grids


def _pieces(sound: Tensor, grid: _Grid) -> Iterator[tuple[Tensor, int, int]]:
    """Parts of the sound with margins: how many samples to skip, and to keep (0: all that follow)."""
    margin = -(-grid.field // grid.step) * grid.step
    length = max(1, _PIECE_SAMPLES // grid.step) * grid.step
    start = 0
    while True:
        skipped = min(start, margin)
        is_last = len(sound) - start <= length + margin
        end = len(sound) if is_last else start + length + margin
        yield sound[start - skipped : end], skipped, 0 if is_last else length
        if is_last:
            return
        start += length
