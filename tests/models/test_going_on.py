"""A finished run trained further, as a new run that names its parent."""

from pathlib import Path
from typing import Any

import pytest
import torch

from models.recipe import Recipe
from models.run_folder import RunFolder
from models.training.errors import TrainingError
from tests.models.raw_files import raw_history, raw_result
from tests.models.training_here import train_here
from tests.speech import write_words

SMALL: dict[str, Any] = {
    "architecture": "ch32", "depth": 2, "batch_size": 6, "sample_rate": 2000, "schedule": "constant", "dropout": 0.2,
}  # fmt: skip


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_words(tmp_path_factory.mktemp("words") / "words")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def trained(runs: Path, words: Path, **changes: Any) -> RunFolder:
    folder = RunFolder.create(runs, Recipe(data=str(words), **{**SMALL, **changes}))
    train_here(folder)
    return folder


@pytest.fixture(scope="module")
def two(runs: Path, words: Path) -> RunFolder:
    return trained(runs, words, epochs=2)


def test_two_epochs_and_two_more_are_four(runs: Path, words: Path, two: RunFolder) -> None:
    further, whole = trained(runs, words, epochs=4, parent=two.id), trained(runs, words, epochs=4)
    assert [line["loss"] for line in raw_history(further)] == [line["loss"] for line in raw_history(whole)]
    assert raw_result(further)["confusion_matrix"] == raw_result(whole)["confusion_matrix"]
    assert raw_result(further)["recipe"]["parent"] == two.id
    assert len(raw_history(two)) == 2


def test_one_cycle_begins_anew(runs: Path, words: Path) -> None:
    first = trained(runs, words, epochs=2, schedule="one-cycle")
    further = trained(runs, words, epochs=5, schedule="one-cycle", parent=first.id)
    rates = [line["learning_rate"] for line in raw_history(further)]
    assert rates[:2] == [line["learning_rate"] for line in raw_history(first)]
    # The end of a cycle, then a new one.
    assert rates[1] < 3e-4 < rates[2]
    assert rates[4] < 3e-4


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epochs": 2}, "has 2 epochs already"),
        ({"epochs": 4, "dropout": 0.5}, "had another recipe or other data"),
        ({"epochs": 4, "parent": "r000000"}, "no checkpoint in .*r000000 to go on from"),
    ],
)
def test_what_cannot_go_on_says_why(
    runs: Path, words: Path, two: RunFolder, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(TrainingError, match=sentence):
        trained(runs, words, **{"parent": two.id, **changes})


def test_an_older_checkpoint_lacks_newer_choices(runs: Path, words: Path, two: RunFolder) -> None:
    content = torch.load(two.checkpoint_file, weights_only=True)
    for name in ("parent", "architecture_hash"):
        del content["recipe"][name]
    del content["parents_epochs"]
    torch.save(content, two.checkpoint_file)
    assert len(raw_history(trained(runs, words, epochs=3, parent=two.id))) == 3
