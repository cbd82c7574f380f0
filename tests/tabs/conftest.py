"""A store, a workbook, and a Google sheet that answers at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.database import open_database
from backend.settings import GoogleSettings
from backend.sheets.google.api import GoogleApi
from backend.sheets.google.sheet import GoogleSheet
from backend.sheets.workbook import Workbook
from backend.tabs.names import SERVERS
from tests.google.server import SheetsServer


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    database = open_database(tmp_path / "store.db")
    yield database
    database.dispose()


@pytest.fixture
def server() -> Iterator[SheetsServer]:
    with SheetsServer() as server:
        yield server
        assert not server.faults


@pytest.fixture
def google(server: SheetsServer, tmp_path: Path) -> Iterator[GoogleSheet]:
    settings = GoogleSettings(spreadsheet="lab", api_endpoint=server.address)
    google = GoogleSheet(GoogleApi(settings, tmp_path, sleep=lambda _: None), SERVERS)
    yield google
    google.close()


@pytest.fixture
def workbook(database: sa.Engine, tmp_path: Path) -> Workbook:
    return Workbook(database, tmp_path / "tabs", SERVERS)
