"""The epochs of a training in its corners: few words, few clips, ties, and numbers that are none."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.architectures import build
from models.data.clips import open_clips
from models.data.speech_commands import read_folder
from models.recipe import Recipe
from models.run_folder import RunFolder
from models.training.batches import Batches
from models.training.checkpoint import Checkpoint
from models.training.errors import TrainingError
from models.training.loop import Loop, steps_in
from models.training.progress import Silent
from models.training.team import Team
from tests.models.tone_words import write_tones


def run(
    place: Path, words: tuple[str, ...], clips: tuple[int, int, int], network: nn.Module | None = None,
    **changes: Any,
) -> Checkpoint:  # fmt: skip
    """A training on tones."""
    data = write_tones(place / "data", words, clips)
    choices = {"architecture": "ch32", "depth": 3, "dropout": 0.0, **changes}
    recipe = Recipe(data=str(data), **choices)
    folder = RunFolder.create(place / "runs", recipe)
    torch.manual_seed(0)
    network = network or build(
        recipe.architecture, len(words), recipe.depth, recipe.dropout, recipe.batch_norm
    )
    batches = Batches(open_clips(read_folder(data)), torch.device("cpu"))
    return Loop(folder, recipe, network, batches, reporter=Silent(), team=Team()).run()


@pytest.mark.parametrize("architecture", ["ch32", "sep96"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_fewer_clips_than_a_batch_and_of_equal_epochs_the_first_is_the_best(
    tmp_path: Path, architecture: str, *, batch_norm: bool
) -> None:
    """The learning rate is too low to change a prediction."""
    choices: dict[str, Any] = {"architecture": architecture, "batch_norm": batch_norm, "schedule": "constant"}
    done = run(tmp_path, ("low", "high"), (2, 1, 1), epochs=2, learning_rate=1e-12, **choices)
    accuracies = [entry["validation_accuracy"] for entry in done.history]
    if not batch_norm:  # with it, the running means move
        assert accuracies[0] == accuracies[1]
    assert done.best_epoch == 1 + accuracies.index(max(accuracies))
    assert done.best_accuracy == max(accuracies)


def normed() -> nn.Module:
    """A network of the lab's own whose batch norm needs more than one clip."""
    return nn.Sequential(nn.Linear(16000, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


@pytest.mark.parametrize("architecture", ["ch32", "sep96", "bc64", "own"])
def test_one_clip_that_is_left_over_is_trained_on(tmp_path: Path, architecture: str) -> None:
    choices: dict[str, Any] = (
        {"network": normed(), "augmentation": "none"}
        if architecture == "own"
        else {"architecture": architecture}
    )
    done = run(tmp_path, ("low", "high"), (13, 4, 1), epochs=3, batch_size=5, **choices)
    assert [entry["epoch"] for entry in done.history] == [1, 2, 3]
    assert done.history[-1]["loss"] < done.history[0]["loss"]


@pytest.mark.parametrize(
    ("clips", "batch_size", "last"),
    [(1, 64, 1), (2, 64, 2), (64, 64, 64), (65, 64, 65), (66, 64, 2), (3, 2, 3), (3, 1, 1), (129, 64, 65)],
)
def test_no_batch_is_one_clip_where_it_need_not_be(clips: int, batch_size: int, last: int) -> None:
    assert clips - (steps_in(clips, batch_size) - 1) * batch_size == last


def test_batches_of_one_clip_that_batch_norm_cannot_take_end_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"single value in a batch of 1; start a new run with a larger"):
        run(tmp_path, ("low", "high"), (2, 1, 1), normed(), batch_size=1)


def test_the_only_step_of_a_training_is_a_step(tmp_path: Path) -> None:
    """One cycle over one step would end where it begins, with hardly any learning rate."""
    done = run(tmp_path, ("low", "high"), (2, 1, 1), epochs=1, learning_rate=0.01)
    assert done.history[0]["learning_rate"] == 0.01
    torch.manual_seed(0)
    fresh = build("ch32", 2, 3, 0.0, batch_norm=True).state_dict()
    moved = done.network["0.convolution.weight"] - fresh["0.convolution.weight"]
    assert moved.abs().max() > 0.005


class Breaking(nn.Module):
    """Scores that are numbers in training and none in evaluation, or the other way round."""

    def __init__(self, *, breaks_in_training: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(16000, 2)
        self.breaks_in_training = breaks_in_training

    def forward(self, clips: Tensor) -> Tensor:
        scores: Tensor = self.layer(clips)
        return scores * torch.nan if self.training == self.breaks_in_training else scores


@pytest.mark.parametrize("breaks_in_training", [False, True])
def test_scores_that_are_no_numbers_end_in_a_sentence(tmp_path: Path, *, breaks_in_training: bool) -> None:
    network = Breaking(breaks_in_training=breaks_in_training)
    with pytest.raises(TrainingError, match=r"no longer a number in epoch 1; start a new run with a"):
        run(tmp_path, ("low", "high"), (2, 1, 1), network)
