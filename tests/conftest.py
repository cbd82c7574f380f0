import os
import signal
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import sqlalchemy as sa
from googleapiclient.schema import Schemas

from backend import database
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models import process
from models.process import OPENMP
from tests.jobs.ending import end_all
from tests.probe.fake_gpus import FakeGpus, compiled_nvml
from tests.speech import write_words

# As `python -m models` has it, before torch is imported: several tests at a time share the processors.
os.environ.update(OPENMP)
# The processes that the tests start keep what they compile; each would else compile all of Sheetrack again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Processes that the tests start inherit that Ctrl-C is ignored, as it is behind `nohup` and `&`.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Nine pictures take longer than a training of tones. Tests that look at them ask for `pictures`.
os.environ["SHEETRACK_FIGURES"] = "0"


@pytest.fixture(scope="session", autouse=True)
def _migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Makes each new database of this process a copy of one that was migrated: a tenth of the time."""
    migrate, lock = database._migrate, threading.Lock()
    engine = database.open_database(tmp_path_factory.mktemp("database") / "store.db")
    with engine.connect() as template, pytest.MonkeyPatch.context() as patch:

        def copy(connection: sa.Connection, file: Path) -> None:
            target = _sqlite_of(connection)
            if target.execute("SELECT 1 FROM sqlite_master").fetchone():
                migrate(connection, file)
                return
            with lock:
                _sqlite_of(template).backup(target)

        patch.setattr(database, "_migrate", copy)
        yield
    engine.dispose()


def _sqlite_of(connection: sa.Connection) -> sqlite3.Connection:
    sqlite = connection.connection.driver_connection
    assert isinstance(sqlite, sqlite3.Connection)
    return sqlite


@pytest.fixture(scope="session", autouse=True)
def _read_once() -> Iterator[None]:
    """Keeps the certificates of the authorities, which every new HTTP client reads.

    And what Google's client says of the types of the Sheets API, which takes nine tenths of its start.
    """
    described: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        patch.setattr(Schemas, "pretty", property(lambda _: described, lambda *_: None), raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _jobs_give_way_to_no_test() -> Iterator[None]:
    """A job is polite to other sessions; beside other tests it would get a thirtieth of a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "_lower_session", lambda *_: None)
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("SHEETRACK_HOME", str(tmp_path / "home"))
    return Home()


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has trainings draw their pictures, as they do for people."""
    monkeypatch.delenv("SHEETRACK_FIGURES")


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_nvml(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def fake_gpus(nvml_library: Path, tmp_path: Path) -> FakeGpus:
    gpus = FakeGpus(nvml_library, tmp_path / "gpus")
    gpus.become("gpus=1")
    return gpus


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of words that a small network learns within seconds."""
    return write_words(tmp_path_factory.mktemp("tones") / "tones")


@pytest.fixture
def sheetrack(home: Home) -> Iterator[Sheetrack]:
    """That has read this machine; its trainings end with the test."""
    parts = Sheetrack(home)
    parts.status.refresh()
    yield parts
    end_all(parts)
    parts.close()
