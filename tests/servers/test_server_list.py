import os
import time
from collections.abc import Mapping

import pytest

from backend.errors import InvalidError
from backend.servers.server import Server
from backend.servers.server_list import Servers
from backend.settings import Home


def write(home: Home, text: str, age_seconds: float = 60) -> None:
    """A file that was written some time ago, and so is complete."""
    home.path.mkdir(parents=True, exist_ok=True)
    draft = home.path / "draft"
    draft.write_text(text)
    at = time.time() - age_seconds
    os.utime(draft, (at, at))
    draft.replace(home.servers_file)


ONE = "[[server]]\nname = 'gpu1'\n"
TWO = f"{ONE}[[server]]\nname = 'gpu2'\nagent = 'ssh://gpu2'\n"


def test_a_server_that_is_added_is_there(home: Home) -> None:
    write(home, ONE)
    servers = Servers(home)
    assert not servers.refresh()
    write(home, TWO)
    assert list(servers) == ["gpu1"]
    assert servers.refresh()
    assert list(servers) == ["gpu1", "gpu2"]
    assert servers["gpu2"].over_ssh
    assert not servers.refresh()
    write(home, ONE)
    assert servers.refresh()
    assert list(servers) == ["gpu1"]


def test_a_home_without_the_file_gets_one(home: Home) -> None:
    servers = Servers(home)
    assert [server.is_here for server in servers.values()] == [True]
    write(home, TWO)
    assert servers.refresh()
    assert list(servers) == ["gpu1", "gpu2"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[[server]\n", "is not a TOML file"),
        ("[[server]]\nname = 'gpu2'\nagent = 'gopher://gpu2'\n", "the address of gpu2"),
        (ONE + ONE, "two servers are called gpu1"),
    ],
)
def test_a_bad_file_changes_nothing_and_is_told(home: Home, text: str, fault: str) -> None:
    write(home, TWO)
    servers = Servers(home)
    write(home, text)
    assert not servers.refresh()
    assert list(servers) == ["gpu1", "gpu2"]
    assert fault in servers.error
    assert servers.error.endswith("the servers stay as they were.")
    assert not servers.refresh()
    assert servers.error
    write(home, ONE)
    assert servers.refresh()
    assert servers.error == ""


def test_a_file_that_is_gone_changes_nothing_and_is_told(home: Home) -> None:
    write(home, TWO)
    servers = Servers(home)
    home.servers_file.unlink()
    assert not servers.refresh()
    assert list(servers) == ["gpu1", "gpu2"]
    assert "is gone" in servers.error
    write(home, TWO)
    assert not servers.refresh()
    assert servers.error == ""


def test_a_file_that_is_being_written_is_left_alone(home: Home) -> None:
    write(home, TWO)
    servers = Servers(home)
    write(home, ONE, age_seconds=-0.5)
    assert not servers.refresh()
    assert list(servers) == ["gpu1", "gpu2"]
    write(home, ONE)
    assert servers.refresh()


def test_what_contradicts_other_settings_is_told(home: Home) -> None:
    def check(servers: Mapping[str, Server]) -> None:
        if "gpu2" in servers:
            raise InvalidError("gpu2 needs something else.", "Do that.")

    write(home, ONE)
    servers = Servers(home, check)
    write(home, TWO)
    assert not servers.refresh()
    assert servers.error.startswith("gpu2 needs something else. Do that.")
