"""Three words that are tones, in as many clips as a short training needs."""

from pathlib import Path

from tests.speech import write_words


def write_tones(
    folder: Path, words: tuple[str, ...] = ("low", "middle", "high"), clips: tuple[int, int, int] = (12, 4, 4)
) -> Path:
    return write_words(folder, words, clips, lists=True)
