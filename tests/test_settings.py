import os

import pytest

from backend.errors import InvalidError
from backend.settings import Home, this_user

_NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


def test_a_user_without_a_login_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert this_user() == "54321"


def test_a_login_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "kim\x1b[31m")
    assert this_user() == "kim�[31m"


@pytest.mark.parametrize(
    "address",
    [
        "http://gpu1:8265x",
        "http://[::1",
        "http://gpu1:99999",
        "http://kim:hunter2@gpu1",
        "http://gpu1/x",
        "gpu1",
        "",
    ],
)
def test_an_address_in_the_settings_that_is_none(home: Home, address: str) -> None:
    home.path.mkdir()
    for section in (f'[ray]\naddress = "{address}"', f'[people]\npublic_address = "{address}"'):
        home.settings_file.write_text(section)
        with pytest.raises(
            InvalidError, match=r"(ray\.address|people\.public_address): the address "
        ) as refused:
            home.settings()
        assert "write it like http://" in refused.value.message
        assert "hunter2" not in refused.value.message


def test_an_address_in_the_settings(home: Home) -> None:
    home.path.mkdir()
    home.settings_file.write_text('[ray]\naddress = "http://gpu1:8265/"')
    ray = home.settings().ray
    assert ray
    assert ray.address == "http://gpu1:8265"


def test_an_unknown_setting_has_the_nearest_known_one(home: Home) -> None:
    home.path.mkdir()
    for text, sentence in (
        ("refresh_second = 3", "refresh_second: there is no such setting, did you mean refresh_seconds"),
        ('[people]\ncommand = ["kim"]', "people.command: there is no such setting, did you mean commands"),
        ("zzz = 1", r"zzz: there is no such setting\."),
    ):
        home.settings_file.write_text(text)
        with pytest.raises(InvalidError, match=sentence):
            home.settings()
