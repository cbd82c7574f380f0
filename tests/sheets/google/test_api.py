"""Answers that are not what Google documents, refusals by their cause, and waits with an end."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from backend.errors import NotFoundError, UnavailableError
from backend.settings import GoogleSettings
from backend.sheets import MismatchError
from backend.sheets.google.api import GoogleApi
from backend.sheets.google.book import METADATA
from backend.sheets.google.marks import KEY
from backend.sheets.google.sheet import GoogleSheet
from backend.tabs.names import SERVERS
from tests.google.clock import Clock
from tests.google.server import Fault, SheetsServer
from tests.patience import PATIENCE_SECONDS, wait_until

ADD_TAB = [{"addSheet": {"properties": {"title": "New"}}}]
CALLS: dict[str, Callable[[GoogleApi], object]] = {
    "get": lambda api: api.spreadsheet(METADATA),
    "title": lambda api: api.spreadsheet("properties(title)"),
    "values": lambda api: api.values("Sheet1"),
    "marks": lambda api: api.marks(KEY),
    "batch": lambda api: api.batch_update(ADD_TAB),
}


@pytest.fixture
def api(server: SheetsServer, clock: Clock, tmp_path: Path) -> Iterator[GoogleApi]:
    settings = GoogleSettings(spreadsheet="lab", api_endpoint=server.address)
    api = GoogleApi(settings, tmp_path, clock=clock, sleep=clock.sleep)
    yield api
    api.close()


class TestBrokenAnswers:
    @pytest.mark.parametrize("call", CALLS)
    @pytest.mark.parametrize(
        "content",
        [
            "",
            "<html>Sign in</html>",
            "[]",
            "null",
            "7",
            '"text"',
            '{"sheets": [',
            '{"sheets": [{}, null]}',
            "\x00",
        ],
    )
    def test_each_counts_as_a_broken_line(
        self, api: GoogleApi, server: SheetsServer, clock: Clock, call: str, content: str
    ) -> None:
        if call == "marks" and content.startswith('{"sheets": [{}'):
            pytest.skip("an answer without marks means that there are none")
        server.away = Fault(status=200, content=content)
        with pytest.raises(UnavailableError, match="Google does not answer now"):
            CALLS[call](api)
        assert len(clock.slept) == 2
        server.away = None
        CALLS[call](api)

    @pytest.mark.parametrize("call", CALLS)
    @pytest.mark.parametrize("bytes_kept", [0, 1])
    def test_a_line_cut_in_the_middle_of_an_answer(
        self, api: GoogleApi, server: SheetsServer, clock: Clock, call: str, bytes_kept: int
    ) -> None:
        server.faults_ahead.append(Fault(done=True, cut=bytes_kept))
        if call == "batch":
            with pytest.raises(MismatchError, match="already exists"):
                api.batch_update(ADD_TAB)
        else:
            CALLS[call](api)
        assert len(clock.slept) == 1

    @pytest.mark.parametrize(
        ("call", "content"),
        [
            ("marks", '{"matchedDeveloperMetadata": [{}]}'),
            ("marks", '{"matchedDeveloperMetadata": [{"developerMetadata": {}}]}'),
            ("marks", '{"matchedDeveloperMetadata": 3}'),
            ("values", '{"range": "A1", "values": 3}'),
            ("values", '{"range": "A1", "values": ["a"]}'),
            ("get", '{"properties": {"timeZone": "UTC"}, "sheets": []}'),
            ("get", '{"properties": {"timeZone": "UTC"}, "sheets": [{"properties": {"sheetId": 3}}]}'),
            ("title", '{"properties": null}'),
        ],
    )
    def test_an_answer_that_lacks_a_part(
        self, api: GoogleApi, server: SheetsServer, call: str, content: str
    ) -> None:
        server.away = Fault(status=200, content=content)
        with pytest.raises(UnavailableError, match="its answer is not whole"):
            CALLS[call](api)

    @pytest.mark.parametrize(
        "content", ["<html>busy</html>", "", "[]", '{"error": "x"}', '{"error": {"message": 7}}', "[{}]"]
    )
    @pytest.mark.parametrize("status", [400, 403, 404, 500])
    def test_an_error_without_googles_form(
        self, api: GoogleApi, server: SheetsServer, status: int, content: str
    ) -> None:
        server.away = Fault(status=status, content=content)
        for call in CALLS.values():
            with pytest.raises(UnavailableError) as caught:
                call(api)
            assert caught.value.hint or isinstance(caught.value, MismatchError)


class TestRefusals:
    def test_a_400_on_reading_is_not_a_missing_tab(self, api: GoogleApi, server: SheetsServer) -> None:
        sheet = GoogleSheet(api, SERVERS)
        with pytest.raises(NotFoundError, match="no tab 'Nowhere'"):
            sheet.read("Nowhere")
        server.away = Fault(status=400, message="Invalid value at 'value_render_option'.")
        with pytest.raises(UnavailableError, match="Invalid value at 'value_render_option'") as caught:
            sheet.read("Sheet1")
        assert not isinstance(caught.value, MismatchError)

    def test_an_excel_file_says_what_it_is(self, api: GoogleApi, server: SheetsServer) -> None:
        server.away = Fault(status=400, message="This operation is not supported for this document")
        with pytest.raises(UnavailableError, match="Excel workbook") as caught:
            api.spreadsheet(METADATA)
        assert "Save as Google Sheets" in caught.value.hint

    @pytest.mark.parametrize(
        "content",
        [
            '{"error": {"code": 403, "message": "Rate Limit Exceeded", "errors": [{"reason": "rateLimitExceeded"}]}}',
            '{"error": {"code": 403, "message": "User Rate Limit Exceeded"}}',
            '{"error": {"code": 403, "message": "Quota exceeded for quota metric", "status": "RESOURCE_EXHAUSTED"}}',
        ],
    )
    def test_a_403_about_the_rate_is_tried_again(
        self, api: GoogleApi, server: SheetsServer, clock: Clock, content: str
    ) -> None:
        server.faults_ahead.append(Fault(status=403, content=content))
        api.batch_update(ADD_TAB)
        assert len(clock.slept) == 1
        server.away = Fault(status=403, content=content)
        with pytest.raises(UnavailableError) as caught:
            api.spreadsheet(METADATA)
        assert "xceeded" in caught.value.message
        assert "Share" not in str(caught.value)

    def test_another_403_is_quoted(self, api: GoogleApi, server: SheetsServer) -> None:
        server.away = Fault(status=403, message="Request had insufficient authentication scopes.")
        with pytest.raises(UnavailableError, match="Google refuses anyone: Request had insufficient"):
            api.spreadsheet(METADATA)

    def test_what_google_quotes_is_bounded(self, api: GoogleApi, server: SheetsServer) -> None:
        server.away = Fault(status=400, message="x" * 100_000)
        with pytest.raises(UnavailableError) as caught:
            api.spreadsheet(METADATA)
        assert len(str(caught.value)) < 500


class TestWaits:
    @pytest.mark.parametrize("asked", [86_400, "date", 10**30])
    def test_none_closes_the_sheet_for_longer_than_five_minutes(
        self, api: GoogleApi, server: SheetsServer, clock: Clock, asked: int | str
    ) -> None:
        if asked == "date":
            asked = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
        server.faults_ahead.append(Fault(status=429, retry_after=asked))
        with pytest.raises(UnavailableError, match="429"):
            api.spreadsheet(METADATA)
        with pytest.raises(UnavailableError, match="wait 300 s more"):
            api.spreadsheet(METADATA)
        clock.now += 301
        assert api.spreadsheet(METADATA)["sheets"]

    @pytest.mark.parametrize("asked", ["soon", "-5", "Wed, 99 Foo", "Thu, 01 Jan 1970 00:00:00 GMT", "²"])
    def test_one_that_makes_no_sense_is_left_out(
        self, api: GoogleApi, server: SheetsServer, clock: Clock, asked: str
    ) -> None:
        server.faults_ahead.append(Fault(status=429, retry_after=asked))
        assert api.spreadsheet(METADATA)["sheets"]
        assert 0 < clock.slept[0] <= 2


class TestClosing:
    def test_a_call_in_progress_ends_while_google_hangs(self, server: SheetsServer, api: GoogleApi) -> None:
        asked, release = threading.Event(), threading.Event()

        def hang() -> None:
            asked.set()
            release.wait(PATIENCE_SECONDS)

        server.before_call = hang
        said: list[str] = []

        def call() -> None:
            try:
                api.spreadsheet(METADATA)
            except UnavailableError as error:
                said.append(error.message)

        threads = [threading.Thread(target=call) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert asked.wait(PATIENCE_SECONDS)
        api.close()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        assert said == ["The connection to Google is closed."] * 3
        assert not release.is_set()
        release.set()
        wait_until(lambda: all(thread.name != "google" for thread in threading.enumerate()))

    def test_a_wait_for_the_next_attempt_ends_too(self, server: SheetsServer, tmp_path: Path) -> None:
        settings = GoogleSettings(spreadsheet="lab", api_endpoint=server.address)
        api = GoogleApi(settings, tmp_path)
        server.away = Fault(status=503)
        said: list[str] = []

        def call() -> None:
            with pytest.raises(UnavailableError) as caught:
                api.spreadsheet(METADATA)
            said.append(caught.value.message)

        thread = threading.Thread(target=call)
        thread.start()
        wait_until(lambda: len(server.calls) == 1)
        api.close()
        thread.join(PATIENCE_SECONDS)
        assert said == ["The connection to Google is closed."]
