"""Processes that train together, as one."""

from pathlib import Path

import numpy as np
import psutil
import pytest

from models.recipe import Recipe
from models.run_folder import RunFolder
from models.training.team import Team
from tests.models.forked import Forked
from tests.models.raw_files import raw_history, raw_result
from tests.models.tone_words import write_tones
from tests.patience import wait_until


@pytest.fixture(autouse=True)
def _without_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tones(tmp_path_factory.mktemp("tones") / "tones")


def trained(
    runs: Path, data: Path, processes: int, *, epochs: int = 2, batch_norm: bool = False
) -> RunFolder:
    # 7 of 36 clips: the last batch has a single clip, so that one process of two has no part of it.
    recipe = Recipe(
        architecture="ch32",
        depth=3,
        dropout=0,
        batch_norm=batch_norm,
        epochs=epochs,
        batch_size=7,
        seconds=0.5,
        augmentation="none",
        data=str(data),
    )
    folder = RunFolder.create(runs, recipe)
    done = Forked("train", folder.path, "--no-figures", f"--processes={processes}").ended()
    assert done.returncode == 0, done.stderr
    return folder


def test_two_processes_train_like_one(tmp_path: Path, tones: Path) -> None:
    one, two = trained(tmp_path, tones, 1), trained(tmp_path, tones, 2)
    assert len(raw_history(one)) == len(raw_history(two)) == 2
    for alone, together in zip(raw_history(one), raw_history(two), strict=True):
        for name in ("loss", "validation_loss", "train_accuracy"):
            assert together[name] == pytest.approx(alone[name], rel=1e-4, abs=1e-6), name
    assert raw_history(one)[-1]["loss"] < raw_history(one)[0]["loss"]
    assert raw_result(two)["test_clips"] == raw_result(one)["test_clips"]


def test_a_bias_without_a_gradient_stops_nothing(tmp_path: Path, tones: Path) -> None:
    run = trained(tmp_path, tones, 2, epochs=1, batch_norm=True)
    assert len(raw_history(run)) == 1
    assert raw_result(run)["test_clips"] == 12


def test_the_parts_of_a_batch_are_all_of_it_with_their_weights() -> None:
    batch = np.arange(7)
    shares = [Team(rank, 3).share(batch) for rank in range(3)]
    assert sorted(np.concatenate([mine for mine, _ in shares])) == batch.tolist()
    assert sum(weight for _, weight in shares) == pytest.approx(3)
    mine, weight = Team(1, 2).share(batch[:1])
    assert (mine.tolist(), weight) == ([0], 0.0)
    assert Team().share(batch)[1] == 1


def test_a_process_that_fails_ends_the_training(tmp_path: Path, tones: Path) -> None:
    folder = RunFolder.create(tmp_path, Recipe(architecture="ch32", depth=3, epochs=500, data=str(tones)))
    process = Forked("train", folder.path, "--no-figures", "--processes=2")
    kill_other(process.pid)
    ended = process.ended()
    assert ended.returncode == 1, ended.stderr
    assert "another process of the training ended" in ended.stderr


def kill_other(pid: int) -> None:
    """Kills the process that trains beside `pid`, when there is one."""
    found: list[psutil.Process] = []

    def seen() -> bool:
        found[:] = [each for each in psutil.Process(pid).children() if "train-part" in each.cmdline()]
        return bool(found)

    wait_until(seen)
    found[0].kill()
