"""Two backends and one spreadsheet."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from backend.settings import GoogleSettings
from backend.sheets.google.api import GoogleApi, Request
from backend.sheets.google.lease import LASTS_SECONDS, OtherBackendError
from backend.sheets.google.sheet import GoogleSheet
from backend.tabs.names import SERVERS
from backend.tabs.servers import servers_table
from tests.google import peoples_tab
from tests.google.server import SheetsServer
from tests.sheets.made_tables import SHOWN, named, texts

Opened = Callable[[str], GoogleSheet]


class TestTwoBackends:
    @pytest.fixture
    def now(self) -> list[float]:
        return [1_700_000_000.0]

    @pytest.fixture
    def backend(self, server: SheetsServer, tmp_path: Path, now: list[float]) -> Iterator[Opened]:
        made = []

        def opened(name: str) -> GoogleSheet:
            settings = GoogleSettings(spreadsheet=server.spreadsheet, api_endpoint=server.address)
            sheet = GoogleSheet(GoogleApi(settings, tmp_path), SERVERS, name, clock=lambda: now[0])
            made.append(sheet)
            return sheet

        yield opened
        for sheet in made:
            sheet.close()

    def test_the_second_says_so_and_writes_nothing(
        self, backend: Opened, server: SheetsServer, now: list[float]
    ) -> None:
        peoples_tab.reserve(server.state, ["gpu1"])
        first, second = backend("/srv/lab on gpu1"), backend("/home/kim on desk")
        first.publish([servers_table(named("gpu1"))])
        now[0] += LASTS_SECONDS - 1
        done = len(server.writes)
        for attempt in (
            lambda: second.publish([texts("two")]),
            lambda: second.annotate(peoples_tab.TITLE, "Server", SHOWN),
            second.try_out,
            second.disconnect,
        ):
            with pytest.raises(
                OtherBackendError, match="Another backend writes this spreadsheet: /srv/lab on gpu1"
            ):
                attempt()
        assert len(server.writes) == done
        first.publish([texts("three")])
        now[0] += LASTS_SECONDS + 1
        second.publish([texts("four")])
        with pytest.raises(OtherBackendError, match="/home/kim on desk"):
            first.publish([texts("five")])

    def test_of_two_that_begin_together_one_is_refused(
        self, backend: Opened, server: SheetsServer, now: list[float]
    ) -> None:
        first, second = backend("first"), backend("second")

        send = first._api.batch_update

        def come_between(batch: Sequence[Request]) -> None:
            if not server.writes:
                second.publish([texts("second")])
            send(batch)

        first._api.batch_update = come_between  # type: ignore[method-assign]
        with pytest.raises(OtherBackendError, match="second"):
            first.publish([texts("first")])
        assert first.read("Jobs")[1][0] == "second"

    def test_a_backend_that_starts_again_goes_on(
        self, backend: Opened, server: SheetsServer, now: list[float]
    ) -> None:
        backend("the same").publish([texts("one")])
        now[0] += 61
        backend("the same").publish([texts("two")])
        now[0] += 61
        again = backend("the same")
        again.publish([texts("two")])
        assert (
            len([mark for mark, *_ in server.state.marks.values() if "backend" in mark["metadataKey"]]) == 1
        )
        again.disconnect()
        assert server.state.marks == {}

    def test_a_copy_of_a_spreadsheet_is_another_one(
        self, backend: Opened, server: SheetsServer, now: list[float]
    ) -> None:
        backend("first").publish([texts("one")])
        server.spreadsheet = "copy"
        second = backend("second")
        second.publish([texts("two")])
        assert second.read("Jobs")[1][0] == "two"
