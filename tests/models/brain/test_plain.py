"""Each thing that may be wrong with a data set is one sentence, and the rest goes on where it can."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.brain.errors import BrainError
from models.brain.plain import read_plain
from models.brain.sounds import RATE_HZ, load_sounds


def separate(folder: Path, *, sounds: int = 24, voxels: int = 6, repetitions: int = 3) -> Path:
    random = np.random.default_rng(0)
    write_sounds(folder, sounds)
    np.save(folder / "responses.npy", random.normal(size=(sounds, voxels, repetitions)))
    (folder / "sounds.txt").write_text("".join(f"s{number:02}.wav\n" for number in range(sounds)))
    write_voxels(folder, voxels)
    return folder


def continuous(folder: Path, *, trs: int = 30, voxels: int = 6) -> Path:
    random = np.random.default_rng(0)
    write_sounds(folder, 3, seconds=50)
    (folder / "runs").mkdir()
    for number in range(3):
        np.save(folder / "runs" / f"r{number}.npy", random.normal(size=(trs, voxels)) + 100)
        (folder / "runs" / f"r{number}_events.tsv").write_text(
            f"onset\tduration\tstimulus\n4\t50\ts{number:02}.wav\n"
        )
    (folder / "dataset.json").write_text('{"tr": 2}')
    write_voxels(folder, voxels)
    return folder


def write_sounds(folder: Path, count: int, seconds: float = 0.1) -> None:
    (folder / "stimuli").mkdir(parents=True)
    for number in range(count):
        sound = 0.1 * np.random.default_rng(number).normal(size=round(seconds * RATE_HZ))
        soundfile.write(folder / "stimuli" / f"s{number:02}.wav", sound, RATE_HZ, subtype="PCM_16")


def write_voxels(folder: Path, count: int) -> None:
    rows = (f"v{number}\tp1\tL\tA\t-50\t-20\t5\n" for number in range(count))
    (folder / "voxels.tsv").write_text("voxel_id\tsubject\themi\tregion\tx\ty\tz\n" + "".join(rows))


def test_a_whole_data_set_has_nothing_to_tell(tmp_path: Path) -> None:
    data = read_plain(separate(tmp_path / "a"))
    load_sounds(data)
    assert data.notices == []
    assert data.responses is not None
    assert data.responses.shape == (24, 6, 3)
    assert set(data.voxels.regions) == {"A"}
    runs = read_plain(continuous(tmp_path / "b"))
    load_sounds(runs)
    assert runs.notices == []
    assert [run.name for run in runs.runs] == ["r0", "r1", "r2"]


def test_sounds_without_files_and_files_without_responses_are_left_out(tmp_path: Path) -> None:
    folder = separate(tmp_path)
    (folder / "stimuli" / "s03.wav").unlink()
    (folder / "stimuli" / "s04.wav").rename(folder / "stimuli" / "other.wav")
    (folder / "stimuli" / "s05.wav").write_bytes(b"no sound")
    data = read_plain(folder)
    load_sounds(data)
    assert data.notices == [
        "2 sounds without a file in stimuli left out: s03, s04.",
        "1 file in stimuli without responses not used: other.",
        "Sound s05 left out: not a readable WAV file.",
    ]
    assert data.responses is not None
    assert len(data.sounds) == len(data.responses) == 21
    kept = np.load(folder / "responses.npy")[[0, 1, 2, 6]]
    assert np.allclose(data.responses[:4], kept)


def test_an_order_that_cannot_match_is_refused(tmp_path: Path) -> None:
    folder = separate(tmp_path)
    (folder / "sounds.txt").write_text("s00\ns01\n")
    with pytest.raises(BrainError, match="2 sounds are named in order, and the responses have shape"):
        read_plain(folder)
    (folder / "sounds.txt").write_text("s00\n" * 24)
    with pytest.raises(BrainError, match="s00 named twice"):
        read_plain(folder)
    (folder / "sounds.txt").unlink()
    with pytest.raises(BrainError, match="name the sounds there"):
        read_plain(folder)


def test_one_repetition_is_told(tmp_path: Path) -> None:
    data = read_plain(separate(tmp_path, repetitions=1))
    assert "One repetition only" in data.notices[0]


def test_voxels_with_nan_and_constant_ones_are_left_out(tmp_path: Path) -> None:
    folder = separate(tmp_path)
    responses = np.load(folder / "responses.npy")
    responses[5, 1, 2] = np.nan
    responses[:, 4, 1] = 7
    np.save(folder / "responses.npy", responses)
    data = read_plain(folder)
    assert data.notices == [
        "1 of 6 voxels with values that are no numbers left out.",
        "1 of 6 voxels that never change left out.",
    ]
    assert list(data.voxels.ids) == ["v0", "v2", "v3", "v5"]
    responses[:] = 0
    np.save(folder / "responses.npy", responses)
    with pytest.raises(BrainError, match=r"no voxel of .* can be used"):
        read_plain(folder)


def test_coordinates_and_voxels_may_be_missing(tmp_path: Path) -> None:
    folder = separate(tmp_path)
    text = (folder / "voxels.tsv").read_text()
    (folder / "voxels.tsv").write_text(text.replace("-50", "n/a", 2))
    assert read_plain(folder).notices == ["2 of 6 voxels have no coordinates and are not on the map."]
    (folder / "voxels.tsv").write_text(text + "v9\tp1\tL\tA\t0\t0\t0\n")
    data = read_plain(folder)
    assert data.notices == ["voxels.tsv has 7 rows for 6 voxels: all count as one person and one region."]
    assert set(data.voxels.regions) == {"all"}
    (folder / "voxels.tsv").unlink()
    assert "No voxels.tsv" in read_plain(folder).notices[0]


@pytest.mark.parametrize("facts", [{}, {"tr": "2"}, {"tr": 0}, {"tr": True}])
def test_a_missing_tr_is_asked_for(tmp_path: Path, facts: dict[str, object]) -> None:
    folder = continuous(tmp_path)
    (folder / "dataset.json").write_text(json.dumps(facts))
    with pytest.raises(BrainError, match="the TR is missing"):
        read_plain(folder)


def test_ends_are_trimmed_and_far_too_short_runs_left_out(tmp_path: Path) -> None:
    folder = continuous(tmp_path)  # sounds end at 54 s, TR 27
    for number, trs in enumerate((21, 25, 60)):
        responses = np.random.default_rng(number).normal(size=(trs, 6))
        np.save(folder / "runs" / f"r{number}.npy", responses)
    data = read_plain(folder)
    load_sounds(data)
    assert data.notices == [
        "Run r0 left out: its 21 TRs are 6 fewer than its sounds last.",
        "Run r1 is 2 TRs shorter than its sounds: their ends are not used.",
        "Run r2 goes on for 33 TRs after its sounds: the first 5 are used.",
    ]
    assert [len(run.responses) for run in data.runs] == [25, 32]


def test_a_run_that_does_not_fit_costs_only_itself(tmp_path: Path) -> None:
    folder = continuous(tmp_path)
    np.save(folder / "runs" / "r0.npy", np.ones((30, 5)))
    data = read_plain(folder)
    assert data.notices == ["Run r0 left out: it has 5 voxels where others have 6."]
    (folder / "runs" / "r1_events.tsv").unlink()
    np.save(folder / "runs" / "r0.npy", np.random.default_rng(0).normal(size=(30, 6)))
    data = read_plain(folder)
    assert data.notices == [
        "Run r1 left out: r1_events.tsv cannot be read: it is a table with tabs and a header."
    ]
    assert [run.name for run in data.runs] == ["r0", "r2"]
    (folder / "runs" / "r0_events.tsv").write_text("onset\tduration\tstimulus\nsoon\t1\ts00.wav\n")
    (folder / "runs" / "r2_events.tsv").write_text("onset\tduration\tstimulus\n")
    with pytest.raises(BrainError, match=r"no run of .* can be used"):
        read_plain(folder)


def test_a_folder_without_data_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(BrainError, match=r"it needs responses.npy with sounds.txt, or runs/\*.npy"):
        read_plain(tmp_path)
