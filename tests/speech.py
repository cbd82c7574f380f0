"""A folder of words as Speech Commands lays it out, holding synthetic tones: no speech, but quick to learn."""

import json
import os
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000


def write_words(
    folder: Path, words: tuple[str, ...] = ("bed", "cat", "one"), train: int = 6, test: int = 3
) -> Path:
    """Each word is a tone of its own pitch in noise; validation and test have `test` clips a word each."""
    folder.mkdir(parents=True)
    (folder / "synthetic.json").write_text(json.dumps({"held_out": "Nothing: these are synthetic tones."}))
    noise = np.random.default_rng(0)
    lists: dict[str, list[str]] = {"validation_list.txt": [], "testing_list.txt": []}
    time = np.arange(RATE) / RATE
    for place, word in enumerate(words):
        (folder / word).mkdir()
        for clip in range(train + 2 * test):
            name = f"{word}/{clip:08x}_nohash_0.wav"
            tone = 0.3 * np.sin(2 * np.pi * 300 * 1.2**place * time)
            soundfile.write(folder / name, tone + noise.normal(0, 0.02, RATE), RATE, subtype="PCM_16")
            if clip >= train:
                lists["validation_list.txt" if clip < train + test else "testing_list.txt"].append(name)
    for name, clips in lists.items():
        (folder / name).write_text("".join(f"{clip}\n" for clip in clips))
    return folder


def hang(words: Path) -> None:
    """Makes reading the folder wait for ever."""
    file = words / "testing_list.txt"
    file.unlink()
    os.mkfifo(file)
