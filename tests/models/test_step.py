"""One step of a training."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.architectures import build
from models.data.clips import open_clips
from models.data.speech_commands import read_folder
from models.recipe import Recipe
from models.training.batches import Batches
from models.training.step import Step
from models.training.team import Team
from tests.models.tone_words import write_tones

CHOICES = {"architecture": "ch32", "depth": 3, "dropout": 0.0, "batch_size": 4, "data": "tones"}


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> Batches:
    data = write_tones(tmp_path_factory.mktemp("tones"), ("low", "high"), (6, 2, 2))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Batches(open_clips(read_folder(data)), device)


def step_of(batches: Batches, **changes: object) -> Step:
    recipe = Recipe.model_validate(CHOICES | {"augmentation": "none"} | changes)
    torch.manual_seed(0)
    network = build(recipe.architecture, 2, recipe.depth, recipe.dropout, recipe.batch_norm)
    return Step(recipe, network.to(batches.labels.device), batches, Team(), total_steps=10)


def test_smoothed_labels_give_a_share_to_all_words(batches: Batches) -> None:
    chosen = np.arange(4)
    with torch.no_grad():
        step = step_of(batches, label_smoothing=0.2)
        sound, labels = batches.get(chosen)
        likely = step.network.train()(sound).log_softmax(1)
        target = 0.8 * functional.one_hot(labels, 2) + 0.2 / 2
    loss, _ = step_of(batches, label_smoothing=0.2)(chosen)
    torch.testing.assert_close(loss / 4, -(target * likely).sum(1).mean(), rtol=1e-4, atol=1e-4)


def test_a_step_that_goes_on_is_the_step_that_was_not_interrupted(batches: Batches) -> None:
    """From the state in a checkpoint, with a learning rate that moves."""
    chosen = np.arange(4)
    whole = step_of(batches)
    for _ in range(3):
        whole(chosen)
    network = {name: value.clone() for name, value in whole.network.state_dict().items()}
    state = whole.state()
    again = step_of(batches)
    again.network.load_state_dict(network)
    again.go_on(*state)
    assert again.learning_rate == whole.learning_rate != step_of(batches).learning_rate
    assert torch.equal(again(chosen)[0], whole(chosen)[0])
    restarted = step_of(batches)
    restarted.go_on(state[0], {})
    assert restarted.learning_rate == step_of(batches).learning_rate


class Careful(nn.Module):
    """Looks at its own values, which no graph can hold, and drops some at random."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16000, 2), nn.Dropout(0.5))

    def forward(self, clips: Tensor) -> Tensor:
        scores: Tensor = self.layers(clips)
        return scores.clamp(-1, 1) if float(scores.detach().abs().max()) > 1 else scores


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_network_that_looks_at_its_values_is_not_replayed(batches: Batches) -> None:
    recipe = Recipe.model_validate(CHOICES)
    step = Step(recipe, Careful().to(batches.labels.device), batches, Team(), total_steps=10)
    losses = [float(step(np.arange(4))[0]) for _ in range(8)]
    assert np.isfinite(losses).all()
    assert step._graph is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("augmentation", ["light", "strong"])
@pytest.mark.parametrize("architecture", ["ch32", "sep96", "bc64"])
def test_a_replayed_step_is_the_step(
    batches: Batches, monkeypatch: pytest.MonkeyPatch, architecture: str, augmentation: str
) -> None:
    def losses() -> list[float]:
        step = step_of(batches, architecture=architecture, augmentation=augmentation)
        torch.manual_seed(5)
        return [float(step(np.arange(4))[0]) for _ in range(8)]

    replayed = losses()
    monkeypatch.setattr("models.training.step._EAGER_STEPS", 1000)
    assert losses() == replayed
