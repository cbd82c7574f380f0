"""Synthetic speech, from the real synthesizers."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("espeakng_loader", reason="needs pip install 'sheetrack[synthetic]'")
pytest.importorskip("py_nanotts", reason="needs pip install 'sheetrack[synthetic]'")

from models.data import DataError, synthetic
from models.data.clips import open_clips
from models.data.speech_commands import read_folder
from models.recipe import WORDS

FEW = {
    "training": ("en-us+m1", "pico:en-US"),
    "validation": ("en+m8",),
    "testing": ("en+f2", "pico:en-GB"),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and ".sheetrack" not in file.parts
    }


@pytest.fixture
def few_voices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "VOICES", FEW)


@pytest.mark.usefixtures("few_voices")
def test_the_same_request_gives_the_same_speech_and_only_once(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    def prepare(folder: Path, **changes: int) -> bool:
        return synthetic.prepare(folder, **{"clips_a_word": 4, **changes}, report=lambda *at: told.append(at))

    assert prepare(tmp_path / "one")
    assert told == [(number, 5) for number in range(1, 6)]
    assert prepare(tmp_path / "two")
    first = contents(tmp_path / "one")
    second = contents(tmp_path / "two")
    assert first.keys() == second.keys()
    # Pico now and then speaks a word a little otherwise, also in a fresh process.
    assert {name: first[name] for name in first if "pico" not in name} == {
        name: second[name] for name in second if "pico" not in name
    }
    assert not prepare(tmp_path / "one")
    assert prepare(tmp_path / "two", seed=1)
    assert first.keys() == contents(tmp_path / "two").keys()
    assert first != contents(tmp_path / "two")

    clips = open_clips(read_folder(tmp_path / "one"))
    assert clips.words == WORDS
    assert clips.synthetic
    assert "British" in clips.held_out
    assert any("synthetic speech" in notice for notice in clips.notices)
    speakers = {
        split: {clips.files[clip].split("/")[1].partition("_nohash_")[0] for clip in clips.of(split)}  # type: ignore[arg-type]
        for split in FEW
    }
    assert speakers == {
        "training": {"en-us-m1", "pico-en-us"},
        "validation": {"en-m8"},
        "testing": {"en-f2", "pico-en-gb"},
    }
    assert (abs(clips.audio.astype(int)).max(axis=1) > 1000).all()
    description = json.loads((tmp_path / "one" / "synthetic.json").read_text())
    assert description["what"] == "synthetic speech"
    assert description["versions"].keys() == {"espeakng-loader", "py-nanotts"}


def test_no_voice_and_no_variant_is_in_two_splits() -> None:
    variants = {
        split: {name.partition("+")[2] or name for name in names} for split, names in synthetic.VOICES.items()
    }
    for split, names in variants.items():
        others = set().union(*(found for other, found in variants.items() if other != split))
        assert not names & others


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(DataError, match="is not empty"):
        synthetic.prepare(tmp_path, clips_a_word=5, report=lambda *_: None)
    assert (tmp_path / "thesis.txt").read_text() == "precious"
    shutil.rmtree(tmp_path)
