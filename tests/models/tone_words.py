"""A tiny data set for tests: each word is a tone of its own in noise. Not speech, and it says so."""

import json
from pathlib import Path

import numpy as np
import soundfile


def write_tones(
    folder: Path, words: tuple[str, ...] = ("low", "middle", "high"), clips: tuple[int, int, int] = (12, 4, 4)
) -> Path:
    """Writes `clips` training, validation and test clips a word, with their lists; every fourth clip is short."""
    random = np.random.default_rng(0)
    lists: dict[str, list[str]] = {"training": [], "validation": [], "testing": []}
    for pitch, word in enumerate(words, start=1):
        (folder / word).mkdir(parents=True)
        for split, count in zip(lists, clips, strict=True):
            for number in range(count):
                frames = 12000 if number % 4 == 3 else 16000
                time = np.arange(frames) / 16000
                sound = 0.3 * np.sin(2 * np.pi * (300 * 3**pitch * random.uniform(0.95, 1.05)) * time)
                sound += 0.02 * random.normal(size=frames)
                file = f"{word}/{split}{number:02}_nohash_0.wav"
                soundfile.write(folder / file, sound, 16000, subtype="PCM_16")
                lists[split].append(file)
    for split in ("validation", "testing"):
        (folder / f"{split}_list.txt").write_text("".join(f"{file}\n" for file in lists[split]))
    (folder / "synthetic.json").write_text(
        json.dumps({"held_out": "Test clips are other tones than training clips."})
    )
    return folder
