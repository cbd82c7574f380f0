"""The facts of a data set, for results and for people."""

from models.data.clips import Clips
from models.data.speech_commands import SPLITS
from models.result import DataFacts


def describe(clips: Clips) -> DataFacts:
    return DataFacts(
        name=clips.name,
        folder=str(clips.root),
        hash=clips.hash,
        synthetic=clips.synthetic,
        held_out=clips.held_out,
        notices=tuple(clips.notices),
        words=clips.words,
        clips={split: len(clips.of(split)) for split in SPLITS},
        clips_full_length={split: len(clips.of(split, full_length_only=True)) for split in SPLITS},
    )
