"""Facts of data folders, read in a process that is followed and can be stopped."""

from pathlib import Path

import pytest

from backend.errors import InvalidError, UnavailableError
from backend.jobs.data_reading import DataReading
from models.recipe import Recipe
from tests.patience import PATIENCE_SECONDS, wait_until
from tests.speech import hang, write_words

RECIPE = Recipe(data="-")


def test_a_new_folder_is_read_and_its_progress_told(tmp_path: Path) -> None:
    words = write_words(tmp_path / "tones")
    clips = len(list(words.glob("*/*.wav")))
    reading = DataReading(str(words), RECIPE)
    assert reading.progress == "reading the data"
    facts = reading.facts()
    assert (facts.name, len(facts.hash)) == ("tones", 64)
    assert reading.progress == f"reading the data, {clips:,} of {clips:,} clips"
    assert DataReading(str(words), RECIPE).facts() == facts


def test_a_folder_that_cannot_be_trained_on_is_refused_in_the_models_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"has no folders of recordings"):
        DataReading(str(tmp_path), RECIPE).facts()


def test_a_folder_that_hangs_can_be_given_up(tmp_path: Path) -> None:
    words = write_words(tmp_path / "tones")
    hang(words)
    reading = DataReading(str(words), RECIPE)
    assert not reading.wait(0)
    reading.stop()
    assert reading.wait(PATIENCE_SECONDS)
    with pytest.raises(UnavailableError):
        reading.facts()
    reading.stop()


def test_one_that_is_stopped_at_once_ends(tmp_path: Path) -> None:
    reading = DataReading(str(write_words(tmp_path / "tones")), RECIPE)
    reading.stop()
    wait_until(lambda: reading.wait(1))
