"""The doctor: a check that fails or hangs ends no other, and is named in one sentence."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.errors import InvalidError
from backend.service import doctor
from backend.service.doctor import CHECKS, examine
from backend.settings import Home
from tests.patience import PATIENCE_SECONDS


class Surprise(BaseException):
    """Not an Exception."""


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> dict[str, doctor.Check]:
    """The checks, to be changed, without those that take seconds."""
    changed = {name: check for name, check in CHECKS.items() if name not in ("Training", "Readings")}
    monkeypatch.setattr(doctor, "CHECKS", changed)
    return changed


def found(home: Home) -> dict[str, tuple[bool, str]]:
    return {finding.what: (finding.ok, finding.found) for finding in examine(home)}


@pytest.mark.parametrize(
    "error", [ValueError("token=s3cret"), KeyError("gpu1"), RecursionError(), Surprise(), SystemExit(3)]
)
@pytest.mark.parametrize("what", ["Disk", "Servers", "Ray"])
def test_whatever_a_check_raises_is_its_own_finding(
    checks: dict[str, doctor.Check], home: Home, what: str, error: BaseException
) -> None:
    def fail(_home: Home) -> str:
        raise error

    well = found(home)
    checks[what] = fail
    now = found(home)
    sentence = (
        f"Something in Sheetrack failed ({type(error).__name__}); {home.failure_file} has the traceback."
    )
    assert now[what] == (False, sentence)
    assert {name: ok for name, (ok, _) in now.items() if name != what} == {
        name: ok for name, (ok, _) in well.items() if name != what
    }
    assert "Traceback (most recent call last)" in home.failure_file.read_text()
    assert "in fail" in home.failure_file.read_text()


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_checks_that_hang_are_bounded_together(
    checks: dict[str, doctor.Check], home: Home, monkeypatch: pytest.MonkeyPatch, released: threading.Event
) -> None:
    def hang(_home: Home) -> str:
        released.wait(PATIENCE_SECONDS)
        return "too late"

    well = found(home)
    monkeypatch.setattr(doctor, "_PATIENCE_SECONDS", 5)
    for what in ("Disk", "Google sheet", "Ray"):
        checks[what] = hang
    now = found(home)
    assert now["Disk"] == (False, "This check has no answer after 5 s.")
    for what in ("Home", "Settings", "Servers", "Store", "Notifications"):
        assert now[what] == well[what]


def test_a_home_that_hangs_hides_nothing(
    checks: dict[str, doctor.Check], home: Home, monkeypatch: pytest.MonkeyPatch, released: threading.Event
) -> None:
    def hang(_home: Home) -> str:
        released.wait(PATIENCE_SECONDS)
        return "too late"

    well = found(home)
    monkeypatch.setattr(doctor, "_home", hang)
    monkeypatch.setattr(doctor, "_PATIENCE_SECONDS", 5)
    now = found(home)
    assert now.pop("Home") == (False, "This check has no answer after 5 s.")
    assert {name: ok for name, (ok, _) in now.items()} == {
        name: ok for name, (ok, _) in well.items() if name != "Home"
    }


def test_a_fault_that_several_checks_meet_is_named_once(home: Home, checks: dict[str, doctor.Check]) -> None:
    def refuse(_home: Home) -> str:
        raise InvalidError("The file is broken.", "Mend it.")

    checks["Settings"] = checks["Servers"] = refuse
    assert [finding.what for finding in examine(home) if finding.found == "The file is broken."] == [
        "Settings"
    ]


@pytest.mark.parametrize("file", ["settings_file", "servers_file", "store_file"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[" * 10_000, b"a = 1\n" * 3, b"\0" * 5000])
def test_no_file_of_the_home_hides_the_others(
    checks: dict[str, doctor.Check], home: Home, file: str, content: bytes
) -> None:
    home.path.mkdir()
    getattr(home, file).write_bytes(content)
    names = {finding.what for finding in examine(home)}
    assert {"Home", "Disk"} <= names
    assert not home.failure_file.exists()


def test_runs_on_a_disk_that_is_not_mounted_are_told(home: Home, tmp_path: Path) -> None:
    home.make()
    home.runs.symlink_to(tmp_path / "not mounted")
    assert found(home)["Disk"] == (False, f"{home.runs} is no folder that can be written.")
    (tmp_path / "not mounted").mkdir()
    assert found(home)["Disk"][0]
