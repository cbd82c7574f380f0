"""Folders of words, good and bad, and the cache that trainings read."""

import multiprocessing
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from models.data import DataError
from models.data.clips import Clips, open_clips
from models.data.speech_commands import find, hashed_split, read_folder
from models.recipe import WORDS
from tests.models.tone_words import write_tones
from tests.patience import PATIENCE_SECONDS


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    return write_tones(tmp_path / "tones")


def opened(folder: Path) -> Clips:
    return open_clips(read_folder(folder))


def write(file: Path, samples: np.ndarray, rate_hz: int = 16000, subtype: str = "PCM_16") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, samples, rate_hz, subtype=subtype)


# The first lines of the official validation_list.txt and testing_list.txt, and a speaker who is in neither.
@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("right/a69b9b3e_nohash_0.wav", "validation"),
        ("right/bb05582b_nohash_3.wav", "testing"),
        ("bed/00b01445_nohash_0.wav", "training"),
    ],
)
def test_speakers_are_split_as_officially(file: str, split: str) -> None:
    assert hashed_split(file) == split


def test_a_speaker_is_in_one_split_only() -> None:
    splits = {
        f"speaker{n}": {hashed_split(f"{w}/speaker{n}_nohash_{w}.wav") for w in range(5)} for n in range(2000)
    }
    assert all(len(found) == 1 for found in splits.values())
    shares = [sum(split in found for found in splits.values()) / 2000 for split in ("validation", "testing")]
    assert shares == pytest.approx([0.1, 0.1], abs=0.03)


def test_the_lists_decide_the_splits(tones: Path) -> None:
    clips = opened(tones)
    assert clips.words == ("high", "low", "middle")
    assert {split: len(clips.of(split)) for split in ("training", "validation", "testing")} == {
        "training": 36, "validation": 12, "testing": 12,
    }  # fmt: skip
    assert all(
        file.split("/")[1].startswith(split) for file, split in zip(clips.files, clips.splits, strict=True)
    )
    assert len(clips.of("training", full_length_only=True)) == 27


def test_clips_are_what_the_files_hold_and_short_ones_are_padded(tones: Path) -> None:
    clips = opened(tones)
    for file, sound, frames, label in zip(clips.files, clips.audio, clips.frames, clips.labels, strict=True):
        written, _ = soundfile.read(tones / file, dtype="int16")
        assert frames == len(written)
        np.testing.assert_array_equal(sound[:frames], written)
        assert not sound[frames:].any()
        assert clips.words[label] == file.partition("/")[0]


def test_without_lists_the_official_hash_decides(tmp_path: Path) -> None:
    for word in ("left", "right"):
        for number in range(40):
            write(tmp_path / "data" / word / f"speaker{number}_nohash_0.wav", np.zeros(16000))
    clips = opened(tmp_path / "data")
    for file, split in zip(clips.files, clips.splits, strict=True):
        assert split == hashed_split(file)
    assert "hash of the speaker's name" in clips.held_out
    assert "No speaker of a test clip" in clips.held_out


def test_one_list_without_the_other_is_not_used(tones: Path) -> None:
    (tones / "testing_list.txt").unlink()
    folder = read_folder(tones)
    assert "testing_list.txt is missing" in folder.notices[0]
    assert all(file.split == hashed_split(file.path) for file in folder.files)


def test_a_list_may_name_clips_without_a_speaker_and_clips_that_are_gone(tones: Path) -> None:
    write(tones / "low" / "mine.wav", np.zeros(16000))
    with (tones / "testing_list.txt").open("a") as lines:
        lines.write("low/mine.wav\nlow/gone_nohash_0.wav\n\nother/word_nohash_0.wav\n")
    clips = opened(tones)
    assert clips.splits[clips.files.index("low/mine.wav")] == "testing"
    assert clips.notices[0] == "1 clips of the lists are not there, the first low/gone_nohash_0.wav."


def test_the_folder_may_lie_where_torchaudio_puts_it(tones: Path, tmp_path: Path) -> None:
    inner = tmp_path / "outer" / "SpeechCommands" / "speech_commands_v0.02"
    inner.parent.mkdir(parents=True)
    shutil.copytree(tones, inner)
    clips = opened(tmp_path / "outer")
    assert clips.name == "outer"
    assert clips.hash == opened(tones).hash


def test_the_sixteen_words_are_used_when_all_are_there(tmp_path: Path) -> None:
    folder = write_tones(tmp_path / "many", (*WORDS, "marvin"), (1, 1, 1))
    assert read_folder(folder).words == WORDS
    shutil.rmtree(folder / "dog")
    assert read_folder(folder).words == tuple(sorted({*WORDS, "marvin"} - {"dog"}))


def test_hidden_folders_and_noise_are_no_words(tones: Path) -> None:
    for name in ("_background_noise_", ".trash"):
        write(tones / name / "a_nohash_0.wav", np.zeros(16000))
    assert read_folder(tones).words == ("high", "low", "middle")


def remove(folder: Path, *words: str) -> None:
    for word in words:
        shutil.rmtree(folder / word)


def only_one_speaker(folder: Path) -> None:
    """Leaves one clip of each word, without the lists."""
    for word in ("low", "middle", "high"):
        first, *others = sorted((folder / word).iterdir())
        for other in others:
            other.unlink()
        first.rename(folder / word / "a_nohash_0.wav")
    for list_file in folder.glob("*_list.txt"):
        list_file.unlink()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda folder: remove(folder, "low", "middle", "high"),
            "has no folders of recordings",
        ),
        (lambda folder: remove(folder, "low", "middle"), "has 1 folder of recordings"),
        (
            lambda folder: [file.unlink() for file in (folder / "low").glob("training*")],
            "'low' has no training clip",
        ),
        (
            lambda folder: (folder / "testing_list.txt").write_text(""),
            "has no testing clip; name some in testing_list.txt, or remove both lists",
        ),
        (
            only_one_speaker,
            "no validation clip; name some in validation_list.txt, or add recordings of other",
        ),
        (lambda folder: (folder / "synthetic.json").write_text("{"), "synthetic.json cannot be read"),
        (
            lambda folder: [file.write_bytes(b"") for file in (folder / "low").glob("training*")],
            r"'low' has no training clip .* or remove its folder\. \d+ clips were left out: empty \(low/",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(tones: Path, spoil: object, sentence: str) -> None:
    spoil(tones)  # type: ignore[operator]
    with pytest.raises(DataError, match=sentence):
        opened(tones)


def test_a_recipe_names_a_folder_or_a_data_set_at_home(
    tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHEETRACK_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "data").mkdir(parents=True)
    shutil.copytree(tones, tmp_path / "home" / "data" / "mine")
    assert find(str(tones)) == tones
    assert find("mine") == tmp_path / "home" / "data" / "mine"
    for missing in ("yours", "../home/data/mine/yours", ""):
        monkeypatch.chdir(tmp_path / "home")
        if missing:
            with pytest.raises(DataError, match="no data folder"):
                find(missing)


def test_damaged_files_are_named_and_left_out(tones: Path) -> None:
    low = tones / "low"
    (low / "training00_nohash_0.wav").write_bytes(b"")
    (low / "training01_nohash_0.wav").write_bytes(b"this is text, not sound")
    whole = (low / "training02_nohash_0.wav").read_bytes()
    (low / "training02_nohash_0.wav").write_bytes(whole[: len(whole) // 2])
    write(low / "training04_nohash_0.wav", np.zeros(0))
    write(low / "training05_nohash_0.wav", np.full(16000, np.nan), subtype="FLOAT")
    write(low / "training06_nohash_0.wav", np.zeros(500), rate_hz=500)
    clips = opened(tones)
    assert len(clips.of("training")) == 36 - 6
    for notice in (
        "2 clips were left out: empty (low/training00_nohash_0.wav, low/training04_nohash_0.wav).",
        "1 clip was left out: no sound that can be read (low/training01_nohash_0.wav).",
        "1 clip was left out: cut off (low/training02_nohash_0.wav).",
        "1 clip was left out: has samples that are not numbers (low/training05_nohash_0.wav).",
        "1 clip was left out: has a sampling rate of 500 Hz (low/training06_nohash_0.wav).",
    ):
        assert notice in clips.notices


@pytest.mark.parametrize("rate_hz", [8000, 11025, 22050, 44100, 48000, 96000])
def test_other_rates_are_resampled_to_the_same_tone(tones: Path, rate_hz: int) -> None:
    time = np.arange(rate_hz) / rate_hz
    file = "low/training00_nohash_0.wav"
    write(tones / file, 0.5 * np.sin(2 * np.pi * 1000 * time), rate_hz)
    clips = opened(tones)
    sound = clips.audio[clips.files.index(file)] / 32767
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    np.testing.assert_allclose(sound[1000:-1000], expected[1000:-1000], atol=0.02)
    assert clips.frames[clips.files.index(file)] == 16000
    assert "1 clip was resampled (low/training00_nohash_0.wav)." in clips.notices


def test_stereo_is_mixed_and_a_little_too_long_clips_are_cut_to_their_middle(tones: Path) -> None:
    stereo, long = "low/training00_nohash_0.wav", "low/training01_nohash_0.wav"
    write(tones / stereo, np.stack([np.full(16000, 0.5), np.full(16000, -0.25)], axis=1))
    write(tones / long, np.repeat([0.1, 0.2, 0.3], [500, 16000, 500]))
    clips = opened(tones)
    np.testing.assert_allclose(clips.audio[clips.files.index(stereo)] / 32767, 0.125, atol=1e-4)
    np.testing.assert_allclose(clips.audio[clips.files.index(long)] / 32767, 0.2, atol=1e-4)
    assert "1 clip was mixed to mono (low/training00_nohash_0.wav)." in clips.notices
    assert "1 clip was cut to its middle second (low/training01_nohash_0.wav)." in clips.notices


def test_longer_recordings_are_cut_into_windows(tones: Path) -> None:
    file = "low/training00_nohash_0.wav"
    write(tones / file, np.repeat([0.1, 0.2, 0.3], 16000))
    clips = opened(tones)
    place = clips.files.index(file)
    windows, owners = clips.windows(np.array([0, place, 1]))
    assert list(owners) == [0, 1, 1, 1, 2]
    np.testing.assert_allclose(clips.audio[windows[1:4]].mean(axis=1) / 32767, [0.1, 0.2, 0.3], atol=1e-4)
    assert clips.frames[place] == 48000
    assert "1 clip was cut into windows of 1 s (low/training00_nohash_0.wav)." in clips.notices
    assert len(clips.audio) == len(clips.files) + 2


def test_a_recipe_chooses_rate_and_length(tones: Path) -> None:
    clips = open_clips(read_folder(tones), rate_hz=8000, seconds=0.5)
    assert (clips.rate_hz, clips.samples) == (8000, 4000)
    longs = clips.frames > 4000
    # Every fourth clip is 0.75 s long; two windows hold it.
    assert set(np.diff(clips.first)) == {2}
    assert longs.all()
    # Both forms are kept: a sweep over rates does not read the files again and again.
    assert opened(tones).samples == 16000
    assert len(list((tones / ".sheetrack").glob("clips-*"))) == 2


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.flac", {"subtype": "PCM_24"}),
        ("a.ogg", {}),
        ("a.mp3", {}),
        ("A.WAV", {"subtype": "PCM_U8"}),
        ("a.wav", {"subtype": "PCM_24"}),
        ("a.wav", {"subtype": "PCM_32"}),
        ("a.wav", {"subtype": "FLOAT"}),
        ("a.wav", {"rate_hz": 15999}),
        ("a.wav", {"subtype": "DOUBLE", "channels": 8}),
        ("größe-音.opus", {"rate_hz": 48000, "format": "OGG", "subtype": "OPUS"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_every_usual_form_is_read(tones: Path, name: str, options: dict[str, Any]) -> None:
    rate_hz, channels = options.pop("rate_hz", 16000), options.pop("channels", 1)
    tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(rate_hz) / rate_hz)
    signal = np.repeat(tone[:, None], channels, axis=1)
    soundfile.write(tones / "low" / name, signal, rate_hz, **options)
    clips = opened(tones)
    [sound] = clips.audio[clips.first[clips.files.index(f"low/{name}")]][None] / 32767
    strengths = np.abs(np.fft.rfft(sound[2000:14000]))
    assert np.argmax(strengths) == 500 * 12000 // 16000
    assert 0.3 < np.abs(sound[2000:14000]).max() < 0.6


def test_what_is_no_recording_is_named(tones: Path) -> None:
    (tones / "low" / "notes.txt").touch()
    (tones / "low" / "song.m4a").touch()
    (tones / "low" / os.fsdecode(b"\xff.wav")).touch()
    notice = "3 files are no recording, by the end or the characters of the name (low/notes.txt, low/song.m4a, low/?.wav)."
    assert notice in read_folder(tones).notices


@pytest.mark.parametrize("kind", ["link to nothing", "link to itself", "pipe", "link to a folder"])
def test_what_is_no_file_costs_only_itself(tones: Path, kind: str) -> None:
    before = opened(tones).files
    odd = tones / "low" / "odd.wav"
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to({"link to nothing": "gone.wav", "link to itself": "odd.wav"}.get(kind, "."))
    clips = opened(tones)
    assert clips.files == before
    is_named = any("left out" in notice and "low/odd.wav" in notice for notice in clips.notices)
    assert is_named == (kind != "link to a folder")


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_other_formats_that_were_cut_off_cost_only_themselves(tones: Path, suffix: str) -> None:
    file = tones / "low" / f"half.{suffix}"
    soundfile.write(file, np.random.default_rng(0).normal(scale=0.1, size=16000), 16000)
    file.write_bytes(file.read_bytes()[:40] if suffix != "flac" else file.read_bytes()[:6000])
    clips = opened(tones)
    assert f"low/half.{suffix}" not in clips.files
    assert any(f"low/half.{suffix}" in notice and "left out" in notice for notice in clips.notices)


@pytest.mark.parametrize("count", [3, 10, 200])
def test_without_lists_and_speakers_each_word_is_split_by_file(tmp_path: Path, count: int) -> None:
    for word in ("left", "right"):
        (tmp_path / word).mkdir()
        for number in range(count):
            (tmp_path / word / f"{number}.wav").touch()
    folder = read_folder(tmp_path)
    for word in ("left", "right"):
        found = Counter(file.split for file in folder.files if file.word == word)
        assert found["validation"] == found["testing"] == 1 if count == 3 else min(found.values()) >= 1
        if count == 200:
            assert 10 <= found["validation"] <= 30
            assert 10 <= found["testing"] <= 30
    assert "chosen by a hash of the file's name" in folder.held_out
    assert "test clips may be in voices of the training clips" in folder.held_out


def test_the_cache_is_built_once_and_again_when_a_file_changes(tones: Path) -> None:
    reads: list[int] = []
    folder = read_folder(tones)
    first = open_clips(folder, lambda done, of: reads.append(done))
    second = open_clips(folder, lambda done, of: reads.append(done))
    assert reads == [60]
    assert first.hash == second.hash
    write(tones / "low" / "training00_nohash_0.wav", np.full(16000, 0.25))
    third = open_clips(read_folder(tones), lambda done, of: reads.append(done))
    assert reads == [60, 60]
    assert third.hash != first.hash
    assert third.audio[third.files.index("low/training00_nohash_0.wav")][0] == pytest.approx(
        0.25 * 32767, abs=2
    )
    (tones / "low" / "training01_nohash_0.wav").unlink()
    assert len(opened(tones).of("training")) == 35
    assert len(list((tones / ".sheetrack").glob("clips-*"))) == 1


def test_the_hash_is_that_of_the_content_not_of_the_copy(tones: Path, tmp_path: Path) -> None:
    shutil.copytree(tones, tmp_path / "copy", ignore=shutil.ignore_patterns(".sheetrack"))
    for file in (tmp_path / "copy").rglob("*.wav"):
        os.utime(file, (0, 0))
    assert opened(tmp_path / "copy").hash == opened(tones).hash
    listed = (tones / "testing_list.txt").read_text().splitlines()
    (tones / "testing_list.txt").write_text("\n".join(listed[1:]))
    assert opened(tmp_path / "copy").hash != opened(tones).hash


def test_where_nothing_can_be_made_beside_the_clips_they_are_cached_at_home(
    tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHEETRACK_HOME", str(tmp_path / "home"))
    (tones / ".sheetrack").touch()  # in the way, also for root, who may write into read-only folders
    assert len(opened(tones).files) == 60
    assert list((tmp_path / "home" / "cache").rglob("clips.int16"))


def open_in_another_process(folder: Path, hashes: "multiprocessing.Queue[str]") -> None:
    hashes.put(opened(folder).hash)


def test_two_trainings_that_start_at_once_share_one_cache(tones: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    hashes = spawn.Queue()
    processes = [spawn.Process(target=open_in_another_process, args=(tones, hashes)) for _ in range(2)]
    for process in processes:
        process.start()
    found = {hashes.get(timeout=PATIENCE_SECONDS) for _ in processes}
    for process in processes:
        process.join(PATIENCE_SECONDS)
    assert found == {opened(tones).hash}
    assert not (tones / ".sheetrack" / "draft").exists()


def test_a_cache_that_was_left_half_built_is_built_again(tones: Path) -> None:
    draft = tones / ".sheetrack" / "draft"
    draft.mkdir(parents=True)
    (draft / "clips.int16").write_bytes(b"half")
    assert len(opened(tones).files) == 60
    assert not draft.exists()


def test_the_description_counts_what_is_there(tones: Path) -> None:
    from models.data.describe import describe

    facts = describe(opened(tones)).model_dump()
    assert facts["words"] == ("high", "low", "middle")
    assert facts["clips"] == {"training": 36, "validation": 12, "testing": 12}
    assert facts["clips_full_length"] == {"training": 27, "validation": 9, "testing": 9}
    assert facts["synthetic"] is True
    assert facts["held_out"] == "Test clips are other tones than training clips."
