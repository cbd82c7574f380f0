"""Changes to settings.toml, which people write too."""

from pathlib import Path

import pytest

from backend.errors import InvalidError
from backend.service.settings_file import change_settings
from backend.settings import Home

THEIRS = """# The lab's settings.
title = "Lab 7" # on the door

[google]   # since May
spreadsheet = "old" # the old one
key_file = 'elsewhere.json'

[notify]
events = [
  "down", # at night too
]
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def write(home: Home, text: str) -> None:
    home.path.mkdir(exist_ok=True)
    home.settings_file.write_text(text)


def test_a_file_is_made(home: Home) -> None:
    change_settings(home, google={"spreadsheet": "a-b_c", "relay": None})
    assert home.settings_file.read_text() == '[google]\nspreadsheet = "a-b_c"\n'


def test_all_else_stays_as_people_wrote_it(home: Home) -> None:
    write(home, THEIRS)
    home.settings_file.chmod(0o640)
    change_settings(
        home,
        google={"spreadsheet": "new", "key_file": None},
        people={"public_address": "https://a.example", "audiences": ["x"]},
    )
    text = home.settings_file.read_text()
    expected = THEIRS.replace('"old"', '"new"').replace("key_file = 'elsewhere.json'\n", "")
    assert text == expected + '\n[people]\npublic_address = "https://a.example"\naudiences = ["x"]\n'
    assert home.settings_file.stat().st_mode & 0o777 == 0o640
    change_settings(home, people=None)
    assert home.settings_file.read_text().strip() == expected.strip()


def test_a_section_that_is_not_there_goes_without_a_fault(home: Home) -> None:
    write(home, THEIRS)
    change_settings(home, ray=None)
    assert home.settings_file.read_text() == THEIRS


def test_a_link_stays_a_link(home: Home, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles.toml"
    kept.write_text(THEIRS)
    home.path.mkdir()
    home.settings_file.symlink_to(kept)
    change_settings(home, google={"spreadsheet": "new"})
    assert home.settings_file.is_symlink()
    assert 'spreadsheet = "new" # the old one' in kept.read_text()


@pytest.mark.parametrize("text", ["[google", "\xff", 'titel = "x"\n'])
def test_a_file_that_cannot_be_read_is_not_replaced(home: Home, text: str) -> None:
    home.path.mkdir()
    home.settings_file.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidError, match="Correct it") as caught:
        change_settings(home, google={"spreadsheet": "new"})
    assert str(home.settings_file) in caught.value.message
    assert home.settings_file.read_bytes() == text.encode("latin-1")


def test_nothing_that_could_not_be_read_again_is_written(home: Home) -> None:
    write(home, THEIRS)
    with pytest.raises(InvalidError, match="spreadsheet"):
        change_settings(home, google={"spreadsheet": "not an ID"})
    assert home.settings_file.read_text() == THEIRS
