"""Whole mappings of small simulated data sets whose truth is a layer of a small network."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.brain import mapping as mapping_module
from models.brain.check import check
from models.brain.errors import BrainError
from models.brain.mapping import map_run
from models.brain.simulate import Plan, simulate
from models.brain_result import Mapping, mapping_names, read_mapping
from models.figures.brain import draw
from models.run_folder import RunFolder
from tests.models.brain.made_network import make_network


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_network(tmp_path_factory.mktemp("runs"), depth=4)


@pytest.fixture(scope="module")
def separate(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "separate"
    simulate(folder, Plan(("conv2", "conv4"), snr=2, sounds=40, voxels=80, people=3), run)
    return folder


@pytest.fixture(scope="module")
def mapping(run: RunFolder, separate: Path) -> Mapping:
    other = make_network(run.path.parent, depth=2, seed=1)
    return map_run(run, separate, layers=["conv2", "conv4"], others=[other])


def truth(folder: Path) -> list[str]:
    with (folder / "truth.tsv").open(newline="") as file:
        return [row["layer"] for row in csv.DictReader(file, delimiter="\t")]


def test_the_true_layer_explains_most(run: RunFolder, separate: Path, mapping: Mapping) -> None:
    assert read_mapping(run, "separate") == mapping
    assert mapping_names(run) == ["separate"]
    assert mapping.simulated
    assert mapping.protocol == "separate"
    assert mapping.measure == "R2 corrected for noise"
    by_region = {region.name: region.layer for region in mapping.regions}
    assert by_region == {"Primary": "conv2", "Lateral": "conv4", "Posterior": "conv2", "Anterior": "conv4"}
    with np.load(run.brain / "separate.npz") as arrays:
        real = np.array(truth(separate)) != "none"
        assert arrays["kept"][real].mean() > 0.9
        assert arrays["kept"][~real].mean() < 0.2
        assert arrays["network.value"].shape == (2, 80)


def test_every_control_stands_beside_it(mapping: Mapping) -> None:
    profiles = {profile.source: profile for profile in mapping.profiles}
    network, *controls = profiles
    assert network == "network"
    assert controls[:5] == ["initialisation", "permuted", "mel", "modulation", "shuffled"]
    assert len(controls) == 6  # and the second seed
    best = profiles["network"].best or 0
    assert best > 0.7
    for name in ("initialisation", "permuted", "shuffled", controls[5]):
        assert (profiles[name].best or 0) < best, name
    assert (profiles["shuffled"].best or 0) < 0.2
    assert sum(score.chosen or 0 for score in profiles["network"].layers) == mapping.kept
    text = " ".join(mapping.findings)
    assert "simulated" in text
    assert "above permuted weights" in text or "told from permuted weights" in text


def test_pictures_are_drawn(run: RunFolder, mapping: Mapping) -> None:
    files = draw(run, mapping)
    names = ["brain_separate_profile.png", "brain_separate_map.png", "brain_separate_reliability.png"]
    assert [file.name for file in files] == names
    assert all(file.stat().st_size > 5000 for file in files)
    assert run.drawn() == []  # they stand in a tab of their own


def test_a_mapping_that_was_stopped_goes_on(
    run: RunFolder, separate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[int | None] = []
    score = mapping_module._SeparateJudge.score

    def stopping(judge: Any, features: Any, shuffle: int | None) -> Any:
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(shuffle)
        return score(judge, features, shuffle)

    monkeypatch.setattr(mapping_module._SeparateJudge, "score", stopping)
    chosen: dict[str, Any] = {"name": "again", "layers": ["conv1", "conv2", "conv3"], "controls": ()}
    with pytest.raises(KeyboardInterrupt):
        map_run(run, separate, **chosen)
    assert "again" not in mapping_names(run)

    def counting(judge: Any, features: Any, shuffle: int | None) -> Any:
        scored.append(shuffle)
        return score(judge, features, shuffle)

    monkeypatch.setattr(mapping_module._SeparateJudge, "score", counting)
    done = map_run(run, separate, **chosen)
    assert len(scored) == 3  # the third layer alone
    monkeypatch.setattr(mapping_module._SeparateJudge, "score", score)
    new = map_run(run, separate, **(chosen | {"name": "new"}))
    assert new.profiles == done.profiles
    assert not (run.brain / "again.parts").exists()


def test_what_cannot_be_mapped_is_refused_in_a_sentence(
    run: RunFolder, separate: Path, tmp_path: Path
) -> None:
    with pytest.raises(BrainError, match="has no layer conv9: choose from conv1, conv2"):
        map_run(run, separate, layers=["conv9"])
    with pytest.raises(BrainError, match="there is no folder"):
        map_run(run, tmp_path / "nowhere")
    with pytest.raises(BrainError, match="cannot name a mapping"):
        map_run(run, separate, name="../x")
    with pytest.raises(BrainError, match="is not empty"):
        simulate(separate, Plan(("mel",)), None)
    with pytest.raises(BrainError, match="add --run RUN"):
        simulate(tmp_path / "new", Plan(("conv1",)), None)


def test_unreliable_voxels_are_no_finding(run: RunFolder, tmp_path: Path) -> None:
    folder = tmp_path / "noise"
    simulate(folder, Plan(("mel",), sounds=24, voxels=40, nulls=1.0), None)
    found = map_run(run, folder, layers=["conv1", "conv2"], controls=("mel", "shuffled"))
    assert found.findings[0].startswith("Nothing can be said: ")
    assert all("are reliable; 10 are needed" in region.reason for region in found.regions)
    assert all(value is None for score in found.profiles[0].layers for value in score.by_region)
    draw(run, found)


def test_a_data_set_is_described(separate: Path) -> None:
    facts, problems = check(separate)
    known = dict(facts)
    assert known["Data set"] == "separate (simulated)"
    assert known["Responses"] == "40 sounds x 80 voxels x 3 repetitions"
    assert "voxels are reliable" in known["Reliability"]
    assert known["Regions"] == "Anterior 20, Lateral 20, Posterior 20, Primary 20"
    assert problems == []


def test_continuous_sounds_are_mapped_too(run: RunFolder, tmp_path: Path) -> None:
    folder = tmp_path / "story"
    plan = Plan(
        ("conv2", "mel"),
        snr=2,
        voxels=48,
        people=3,
        continuous=True,
        runs=4,
        repetitions=4,
        fall=1,
        passage_s=80,
        tr_s=1,
    )
    simulate(folder, plan, run)
    facts, problems = check(folder)
    assert dict(facts)["Shift"] == "none: the responses fit the sounds best as they are"
    assert problems == []
    found = map_run(run, folder, layers=["conv1", "conv2"], controls=("mel", "shuffled"), response="hrf")
    assert found.protocol == "continuous"
    assert found.repetitions == 4
    assert found.measure == "R2 corrected for noise"
    real = np.array(truth(folder))
    with np.load(run.brain / "story.npz") as arrays:
        value, kept = arrays["network.value"], arrays["kept"]
        assert np.median(value[1][kept & (real == "conv2")]) > 0.5
        assert np.median(arrays["mel.value"][0][kept & (real == "mel")]) > 0.5
        assert np.median(arrays["shuffled.value"]) < 0.2
        assert (arrays["network.p"][1][real == "none"] < 0.05).mean() <= 0.3
    (folder / "dataset.json").write_text('{"tr": 1.0, "slice_time": 0.0}')
    facts, problems = check(folder)
    assert dict(facts)["Shift"] == "+0.5 TR"
    assert "best 0.5 TR later than they are placed" in problems[0]
