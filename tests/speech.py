"""A folder of words as Speech Commands lays it out, holding synthetic tones: no speech, but quick to learn."""

import json
import os
from functools import cache
from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np
import soundfile

from models.data.speech_commands import hashed_split

RATE = 16_000


def write_words(
    folder: Path,
    words: tuple[str, ...] = ("bed", "cat", "one"),
    clips: tuple[int, int, int] = (6, 3, 3),
    *,
    lists: bool = False,
) -> Path:
    """Each word is a tone of its pitch in noise, from 300 Hz to 6 kHz in equal ratios.

    Args:
        clips: how many there are of a word for training, validation and test. Every fourth is 0.75 s long.
        lists: name the clips of validation and test in lists, which take torch's seconds to read; else the
            names of their speakers tell.
    """
    for name, content in _clips(words, clips, lists).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


@cache
def _clips(words: tuple[str, ...], clips: tuple[int, int, int], lists: bool) -> dict[str, bytes]:
    """The content of each file, by its name in the folder."""
    files: dict[str, bytes] = {}
    random = np.random.default_rng(0)
    listed: dict[str, list[str]] = {"training": [], "validation": [], "testing": []}
    for pitch, word in zip(np.geomspace(300, 6000, len(words)), words, strict=True):
        for split, many in zip(listed, clips, strict=True):
            for number in range(many):
                frames = 3 * RATE // 4 if number % 4 == 3 else RATE
                time = np.arange(frames) / RATE
                sound = 0.3 * np.sin(2 * np.pi * (pitch * random.uniform(0.95, 1.05)) * time)
                sound += 0.02 * random.normal(size=frames)
                file = f"{word}/{split}{number:02}_nohash_0.wav" if lists else _named(word, split, number)
                content = BytesIO()
                soundfile.write(content, sound, RATE, subtype="PCM_16", format="WAV")
                files[file] = content.getvalue()
                listed[split].append(file)
    for split in ("validation", "testing") if lists else ():
        files[f"{split}_list.txt"] = "".join(f"{file}\n" for file in listed[split]).encode()
    held_out = {"held_out": "Test clips are other tones than training clips."}
    return files | {"synthetic.json": json.dumps(held_out).encode()}


def _named(word: str, split: str, number: int) -> str:
    """The first name of such a clip by which it is of that split."""
    names = (f"{word}/{split}{number:02}{more or ''}_nohash_0.wav" for more in count())
    return next(name for name in names if hashed_split(name) == split)


def hang(words: Path) -> None:
    """Makes reading the folder wait for ever."""
    file = words / "synthetic.json"
    file.unlink()
    os.mkfifo(file)
