"""A data set in a few facts, for results and for people."""

from typing import Any

from models.data.clips import Clips
from models.data.speech_commands import SPLITS


def describe(clips: Clips) -> dict[str, Any]:
    return {
        "name": clips.name,
        "folder": str(clips.root),
        "hash": clips.hash,
        "synthetic": clips.synthetic,
        "held_out": clips.held_out,
        "notices": clips.notices,
        "words": list(clips.words),
        "clips": {split: len(clips.of(split)) for split in SPLITS},
        "clips_full_length": {split: len(clips.of(split, full_length_only=True)) for split in SPLITS},
    }
