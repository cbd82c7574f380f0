import os

import pytest

from backend.settings import this_user

_NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


def test_a_user_without_a_login_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert this_user() == "54321"


def test_a_login_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "kim\x1b[31m")
    assert this_user() == "kim�[31m"
