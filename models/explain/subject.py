"""A trained network with its start and the clips that it is explained by."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.architectures import build_for
from models.data.audio import RATE_HZ, SAMPLES
from models.data.clips import Clips, open_clips
from models.data.speech_commands import find, read_folder
from models.explain.layers import Layer, find_layers, same_layers
from models.run_folder import RunFolder
from models.training import snapshots
from models.training.errors import TrainingError
from models.training.trained import load

CLIPS = 1500
_SETTLING = 64
NO_START = (
    "This run is from before Sheetrack kept the weights that a run started from (start.pt): there is no null "
    "of the untrained network beside the values. Train the recipe again to have it."
)

Report = Callable[[str, float], None]
"""Told what is being done, and which fraction of it is."""


@dataclass
class Subject:
    """What is explained.

    Attributes:
        title: the recipe in short.
        start: the network at its initialisation, with batch norms that have counted clips; None: it was not kept.
        epochs: the weights after a few epochs.
        sound: (clips, 16000) test clips; `labels` (clips,) are their words and `files` their names.
        training: gives (clips, 16000) and (clips,) of training clips, at most so many.
        pair: two words to tell apart; None: the two that are confused most.
        clip: the clip to show; None: the one that is predicted most confidently.
        notices: what is missing.
    """

    run: str
    title: str
    words: tuple[str, ...]
    network: nn.Module
    start: nn.Module | None
    sound: Tensor
    labels: Tensor
    files: list[str]
    training: Callable[[int], tuple[Tensor, Tensor]]
    epochs: dict[int, nn.Module] = field(default_factory=dict)
    pair: tuple[str, str] | None = None
    clip: str | None = None
    notices: list[str] = field(default_factory=list)
    report: Report = lambda *_: None

    @cached_property
    def layers(self) -> list[Layer]:
        return find_layers(self.network)

    @cached_property
    def start_layers(self) -> list[Layer] | None:
        """The layers of the network at its start."""
        return same_layers(self.start, self.layers) if self.start else None

    @cached_property
    def scores(self) -> Tensor:
        """The network's scores for the test clips, (clips, words)."""
        return scores(self.network, self.sound)

    def a_few(self, most: int) -> Tensor:
        """Indices of at most so many test clips, as many of each word as there are: (clips,)."""
        return spread(self.labels, most)

    def doing(self, what: str) -> Callable[[float], None]:
        """Reports on one step."""
        return lambda fraction: self.report(what, fraction)


def spread(labels: Tensor, most: int) -> Tensor:
    """Indices of at most so many clips, taken in turn from each word, in their order."""
    return in_turn(labels)[:most].sort().values


def in_turn(labels: Tensor) -> Tensor:
    """Indices of all clips, the first of each word, then the second of each, and so on."""
    turn = torch.zeros(len(labels), dtype=torch.long)
    for word in range(int(labels.max()) + 1) if len(labels) else ():
        own = labels == word
        turn[own] = torch.arange(int(own.sum()))
    return torch.argsort(turn, stable=True)


@torch.inference_mode()
def scores(network: nn.Module, sound: Tensor) -> Tensor:
    """The scores of clips (clips, 16000): (clips, words)."""
    network.eval()
    return torch.cat([network(some).float() for some in torch.split(sound, 64)])


@torch.inference_mode()
def settle(network: nn.Module, sound: Tensor) -> None:
    """Gives the batch norms of an untrained network the moments of clips (clips, 16000), as a training does at once.

    Without them, what training changes would be mixed with what batch norm counts.
    """
    network.eval()
    norms = [part for part in network.modules() if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d))]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    network(sound)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    network.eval()


def open_subject(
    folder: RunFolder,
    *,
    most: int = CLIPS,
    pair: tuple[str, str] | None = None,
    clip: str | None = None,
    report: Report = lambda *_: None,
) -> Subject:
    """Reads a finished run and its data.

    Raises:
        TrainingError, DataError: it is not finished, or its data or its checkpoint are not here.
        BrokenRunError: a file of the run cannot be read.
    """
    recipe, result, trained = load(folder)
    if (recipe.samples, recipe.sample_rate) != (SAMPLES, RATE_HZ):
        raise TrainingError(
            f"run {folder.id} hears {recipe.seconds:g} s at {recipe.sample_rate:,} Hz, and only networks that hear "
            "1 s at 16,000 Hz can be explained"
        )
    clips = open_clips(
        read_folder(find(recipe.data)), lambda done, of: report("reading clips", done / max(1, of))
    )
    if clips.words != result.words:
        raise TrainingError(f"the words of {clips.root} have changed since run {folder.id} was trained")

    def network(weights: dict[str, Any]) -> nn.Module:
        built = build_for(recipe, len(result.words), folder.architecture_file)
        built.load_state_dict(weights)
        return built.eval()

    _check_choices(folder, clips, pair, clip)
    testing = clips.of("testing")
    chosen = testing[spread(torch.from_numpy(clips.labels[testing]), most).numpy()]
    if clip and clips.files.index(clip) not in chosen:
        chosen = np.append(chosen, clips.files.index(clip))
    start = None
    if folder.start_file.exists():
        start = network(torch.load(folder.start_file, "cpu", weights_only=True))
        of = clips.of("training")
        settle(start, _sound(clips, of[spread(torch.from_numpy(clips.labels[of]), _SETTLING).numpy()]))

    def training(count: int) -> tuple[Tensor, Tensor]:
        of = clips.of("training")
        drawn = of[spread(torch.from_numpy(clips.labels[of]), count).numpy()]
        return _sound(clips, drawn), torch.from_numpy(clips.labels[drawn])

    return Subject(
        run=folder.id,
        title=result.recipe.title,
        words=clips.words,
        network=trained,
        start=start,
        sound=_sound(clips, chosen),
        labels=torch.from_numpy(clips.labels[chosen]),
        files=[clips.files[place] for place in chosen],
        training=training,
        epochs={epoch: network(weights) for epoch, weights in snapshots.read_all(folder).items()},
        pair=pair,
        clip=clip,
        notices=[] if start else [NO_START],
        report=report,
    )


def _check_choices(folder: RunFolder, clips: Clips, pair: tuple[str, str] | None, clip: str | None) -> None:
    for word in pair or ():
        if word not in clips.words:
            raise TrainingError(
                f"run {folder.id} knows no word {word!r}; its words: {', '.join(clips.words)}"
            )
    if clip and clip not in clips.files:
        raise TrainingError(
            f"the data of run {folder.id} has no clip {clip!r}; name one like {clips.files[0]}"
        )


def _sound(clips: Clips, chosen: NDArray[np.int64]) -> Tensor:
    """The clips, (n, 16000); of a longer one its first second."""
    return torch.from_numpy(clips.audio[clips.first[chosen]]).float() / 32768
