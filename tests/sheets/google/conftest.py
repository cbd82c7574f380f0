"""A Google sheet on the tests' Sheets server, and a clock that the tests move."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.settings import GoogleSettings
from backend.sheets.google.api import GoogleApi
from backend.sheets.google.sheet import GoogleSheet
from backend.tabs.names import SERVERS
from tests.google.clock import Clock
from tests.google.server import SheetsServer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[SheetsServer]:
    with SheetsServer(clock=clock) as server:
        yield server
        assert not server.faults


@pytest.fixture
def sheet(server: SheetsServer, clock: Clock, tmp_path: Path) -> Iterator[GoogleSheet]:
    settings = GoogleSettings(spreadsheet="lab", api_endpoint=server.address)
    sheet = GoogleSheet(GoogleApi(settings, tmp_path, clock=clock, sleep=clock.sleep), SERVERS)
    yield sheet
    sheet.close()
