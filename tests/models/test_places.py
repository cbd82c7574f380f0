"""What the `data` of a recipe means, and where the home is."""

from pathlib import Path

import pytest

from backend.errors import InvalidError
from backend.jobs.data_sets import check_elsewhere, data_folder
from backend.settings import Home
from models import places
from models.data.errors import DataError
from models.data.speech_commands import find


@pytest.fixture
def here(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a folder `tones`, beside a home with a data set `tones`."""
    (home.data / "tones").mkdir(parents=True)
    here = tmp_path / "here"
    (here / "tones" / "inner").mkdir(parents=True)
    monkeypatch.chdir(here)
    return here


def test_a_name_means_the_data_set_in_the_home_wherever_one_stands(here: Path, home: Home) -> None:
    named = home.data / "tones"
    assert places.data_folder("tones", home.path) == named
    assert places.data_folder("tones", home.path, start=here) == named
    assert data_folder(home, "tones") == data_folder(home, "tones", start=here) == named
    assert find("tones") == named


def test_a_relative_path_begins_where_a_person_stands(here: Path, home: Home) -> None:
    for data, folder in {
        "./tones": here / "tones",
        "tones/inner": here / "tones" / "inner",
        str(here / "tones"): here / "tones",
    }.items():
        assert find(data) == data_folder(home, data, start=here) == folder
    (here / "words").mkdir()
    assert find("words") == here / "words"
    for data in ("./tones", "tones/inner", "words"):
        with pytest.raises(InvalidError, match="There is no data folder"):
            data_folder(home, data)


def test_a_home_directory_is_understood(here: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    assert find("~/tones") == data_folder(home, "~/tones") == here / "tones"
    monkeypatch.setenv("SHEETRACK_HOME", "~/lab")
    assert places.home() == Home().path == here / "lab"
    monkeypatch.setenv("SHEETRACK_HOME", "~nobody-of-that-name/lab")
    assert places.home() == Home().path == here / "~nobody-of-that-name" / "lab"


@pytest.mark.parametrize("data", ["nowhere", "..", "/nowhere", "~nobody-of-that-name", "x" * 1000, "a\0b"])
def test_what_is_no_folder_is_one_sentence(home: Home, data: str) -> None:
    home.data.mkdir(parents=True)
    with pytest.raises(InvalidError, match="There is no data folder"):
        data_folder(home, data)
    if data != "..":
        with pytest.raises(DataError, match="there is no data folder"):
            find(data)


def test_elsewhere_a_name_or_a_full_path_will_do() -> None:
    check_elsewhere("gpu1", "tones")
    check_elsewhere("gpu1", "/data/tones")
    for data in ("..", "./tones", "tones/inner", "~/tones"):
        with pytest.raises(InvalidError, match="does not say where the data lies on gpu1"):
            check_elsewhere("gpu1", data)
