"""The commands of `python -m models` about data, and what they do when the disk is full."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.__main__ import main
from models.own_files import hash_of
from models.process import OPENMP
from models.recipe import Recipe
from models.run_folder import RunFolder
from models.run_reader import read_recipe, read_result
from tests.models.forked import Forked
from tests.models.tone_words import write_tones


def models(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return Forked(*arguments).ended()


@pytest.mark.parametrize("chosen", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}])
def test_threads_that_wait_soon_sleep_unless_a_person_chose_otherwise(
    monkeypatch: pytest.MonkeyPatch, chosen: dict[str, str]
) -> None:
    """Which has to be known before torch is imported."""
    for name in OPENMP:
        monkeypatch.delenv(name)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    assert CliRunner().invoke(main, ["architectures", "--help"]).exit_code == 0
    found = {name: os.environ.pop(name) for name in OPENMP if name in os.environ}
    assert found == (chosen or OPENMP)


def test_describe_tells_people_and_programs(tmp_path: Path) -> None:
    write_tones(tmp_path / "tones")
    facts = json.loads(models("data", "describe", tmp_path / "tones", "--json").stdout)
    assert facts["clips"] == {"training": 36, "validation": 12, "testing": 12}
    told = models("data", "describe", tmp_path / "tones").stdout
    assert f"hash: {facts['hash']}" in told
    assert "words: high, low, middle" in told
    assert "testing: 12 clips, 9 of full length" in told


def test_describe_of_nothing_is_one_sentence(tmp_path: Path) -> None:
    empty = models("data", "describe", tmp_path)
    assert empty.returncode == 1
    assert empty.stderr.startswith(f"error: {tmp_path} has no folders of recordings")
    missing = models("data", "describe", tmp_path / "missing")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)


def test_speech_commands_that_are_there_are_counted_against_the_published_split(tmp_path: Path) -> None:
    write_tones(tmp_path / "SpeechCommands" / "speech_commands_v0.02")
    done = models("data", "prepare", "speech-commands", tmp_path)
    assert done.returncode == 0
    assert "exists already" in done.stdout
    assert "training: 36 clips (published: 40,851, -40,815)" in done.stdout
    assert "testing: 12 clips (published: 5,297, -5,285)" in done.stdout


ONLY_IN_TRAINING = b"""
from torch import nn

class Net(nn.Linear):
    def forward(self, clips):
        scores = super().forward(clips)
        return scores.reshape(7, 7) if self.training else scores

def net(words, samples):
    return Net(samples, words)
"""


def test_a_network_of_the_labs_own_that_fails_in_training_is_named_with_its_line(tmp_path: Path) -> None:
    data = write_tones(tmp_path / "tones")
    recipe = Recipe(
        architecture="net",
        depth=1,
        data=str(data),
        epochs=1,
        architecture_hash=hash_of(ONLY_IN_TRAINING),
    )
    folder = RunFolder.receive(tmp_path, "r1", recipe, ONLY_IN_TRAINING)
    failed = models("train", folder.path)
    assert failed.returncode == 1
    sentence = failed.stderr.splitlines()[-1]
    assert sentence.startswith(f"error: {folder.architecture_file} line 7: RuntimeError: shape '[7, 7]'")
    assert sentence.endswith("correct your network and start a new run")
    assert "Traceback" not in failed.stderr


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_when_there_is_room(tmp_path: Path) -> None:
    data = write_tones(tmp_path / "tones")
    models("data", "describe", data)
    folder = RunFolder.create(tmp_path / "runs", Recipe(data=str(data), depth=3, epochs=2))
    # A disk of half a megabyte, in its own name space: room for the recipe, not for a checkpoint.
    small_disk = f"""
        mount -t tmpfs -o size=512k none {tmp_path}/disk && cp -r {folder.path} {tmp_path}/disk/ &&
        {sys.executable} -m models train {tmp_path}/disk/{folder.id}; code=$?
        cp -r {tmp_path}/disk/{folder.id} {tmp_path}/after; exit $code
    """
    (tmp_path / "disk").mkdir()
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user name spaces")
    full = subprocess.run(
        ["unshare", "-rm", "sh", "-c", small_disk], capture_output=True, text=True, check=False
    )
    assert full.returncode == 1
    assert full.stderr.startswith("error: the disk is full")
    assert full.stderr.count("\n") == 1
    after = RunFolder(tmp_path / "after")
    assert read_recipe(after) == read_recipe(folder)
    assert read_result(after) is None
    assert not after.checkpoint_file.exists()
    assert models("train", after.path).returncode == 0
    assert read_result(after) is not None
