"""The parts, joined: what is opened once stays one, whichever thread asks first."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from backend.database import SCHEMA, look_into
from backend.errors import InvalidError, UnavailableError
from backend.service import wiring
from backend.service.google import open_google
from backend.service.lock import only_backend
from backend.service.wiring import Sheetrack
from backend.settings import GoogleSettings, Home
from tests.google.server import SheetsServer
from tests.old_database import database_of

if TYPE_CHECKING:
    from backend.sheets.google.sheet import GoogleSheet

THREADS = 12


@pytest.fixture
def google_home(home: Home) -> Home:
    home.path.mkdir()
    home.settings_file.write_text('[google]\nspreadsheet = "lab"\napi_endpoint = "http://127.0.0.1:9"\n')
    return home


def test_google_is_opened_once_by_many_threads(google_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def open_slowly(home: Home, settings: GoogleSettings) -> "GoogleSheet":
        opened.append(threading.get_ident())
        time.sleep(0.2)
        return open_google(home, settings)

    monkeypatch.setattr(wiring, "open_google", open_slowly)
    sheetrack, together = Sheetrack(google_home), threading.Barrier(THREADS)

    def ask(_: int) -> "GoogleSheet":
        together.wait()
        return sheetrack.google()

    with ThreadPoolExecutor(THREADS) as threads:
        sheets = set(threads.map(ask, range(THREADS)))
    assert sheets == {sheetrack.google()}
    assert len(opened) == 1
    sheetrack.close()


def test_a_google_sheet_that_cannot_be_opened_is_tried_again(home: Home) -> None:
    home.path.mkdir()
    home.settings_file.write_text('[google]\nspreadsheet = "lab"\n')
    sheetrack = Sheetrack(home)

    def ask(_: int) -> str:
        with pytest.raises(InvalidError) as caught:
            sheetrack.google()
        return caught.value.message

    with ThreadPoolExecutor(THREADS) as threads:
        (message,) = set(threads.map(ask, range(THREADS)))
    assert "google-key.json" in message
    (home.path / "google-key.json").write_text("{}")
    (home.path / "google-key.json").chmod(0o600)
    assert "is not the key of a service account" in ask(0)
    sheetrack.close()


def test_all_that_use_google_share_one_sheet(home: Home) -> None:
    home.path.mkdir()
    with SheetsServer() as server:
        home.settings_file.write_text(
            f'[google]\nspreadsheet = "lab"\napi_endpoint = "{server.address}"\n'
            '[reservations]\ntab = "Nowhere"\n'
        )
        sheetrack = Sheetrack(home)
        assert sheetrack.reservations
        sheetrack.display.show_jobs()
        work = (sheetrack.publisher.flush, sheetrack.reservations.refresh, sheetrack.publisher.flush)
        with ThreadPoolExecutor(len(work)) as threads:
            for done in [threads.submit(step) for step in work]:
                done.result()
        assert "Nowhere" in sheetrack.reservations.error
        assert server.state.tab("Jobs")
        sheetrack.close()
        assert not server.faults


def test_a_server_is_added_without_a_restart(home: Home) -> None:
    home.path.mkdir()
    home.settings_file.write_text('[ray]\naddress = "http://127.0.0.1:9"\n')
    home.servers_file.write_text("[[server]]\nname = 'gpu1'\n")
    sheetrack = Sheetrack(home)
    sheetrack.refresh()
    assert [server.name for server in sheetrack.refresh.servers()] == ["gpu1"]
    home.servers_file.write_text(
        "[[server]]\nname = 'gpu1'\n[[server]]\nname = 'gpu2'\nagent = 'http://127.0.0.1:9'\nray = true\n"
    )
    os.utime(home.servers_file, (time.time() - 60,) * 2)
    sheetrack.refresh()
    assert {server.name for server in sheetrack.refresh.servers()} == {"gpu1", "gpu2"}
    assert list(sheetrack.engines) == ["gpu1", "gpu2"]
    assert sheetrack.engines["gpu2"] is sheetrack.engines["gpu2"]
    assert "gpu2" in sheetrack.queue._servers
    home.servers_file.write_text("[[server]]\nname = 3\n")
    os.utime(home.servers_file, (time.time() - 60,) * 2)
    sheetrack.refresh()
    assert {server.name for server in sheetrack.refresh.servers()} == {"gpu1", "gpu2"}
    assert any(
        "name" in error and str(home.servers_file) in error for error in sheetrack.refresh.sheet_errors()
    )
    sheetrack.close()


def test_a_command_changes_no_schema_under_a_backend(home: Home) -> None:
    home.make()
    database_of(home.store_file, "0008", "results", {"run": "r1", "server": "gpu1", "requested_by": "kim",
                                                     "finished_at": 0, "content": "{}"})  # fmt: skip
    with only_backend(home):
        with pytest.raises(UnavailableError, match="A backend of another release of Sheetrack works with"):
            _ = Sheetrack(home).database
        assert look_into(home.store_file) == ("0008", "")
        served = Sheetrack(home)
        served.serves = True
        assert served.jobs.result_ids() == {"r1"}
        served.close()
    assert look_into(home.store_file) == (SCHEMA, "")
