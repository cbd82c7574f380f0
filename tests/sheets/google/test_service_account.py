"""The service account's key, and calls without an answer."""

from pathlib import Path

import pytest

from backend.errors import InvalidError, UnavailableError
from backend.settings import GoogleSettings
from backend.sheets.google import service_account
from backend.sheets.google.api import GoogleApi
from backend.sheets.google.sheet import GoogleSheet
from backend.tabs.names import SERVERS
from tests.google.accounts import GoogleAccounts
from tests.google.clock import Clock
from tests.google.server import Fault, SheetsServer
from tests.sheets.made_tables import texts


class TestKey:
    def settings(self) -> GoogleSettings:
        return GoogleSettings(spreadsheet="https://docs.google.com/spreadsheets/d/1Ab-c_9/edit#gid=0")

    def test_the_address_in_the_browser_will_do(self) -> None:
        assert self.settings().spreadsheet == "1Ab-c_9"

    def test_a_missing_key_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidError, match="There is no service account key in"):
            GoogleApi(self.settings(), tmp_path)

    def test_others_must_not_read_it(self, tmp_path: Path) -> None:
        (tmp_path / "google-key.json").write_text("{}")
        (tmp_path / "google-key.json").chmod(0o640)
        with pytest.raises(InvalidError, match="Others can read") as caught:
            GoogleApi(self.settings(), tmp_path)
        assert "chmod 600" in caught.value.hint

    @pytest.mark.parametrize(
        "content", ["{}", "no json", '{"private_key": "s3cret", "client_email": "a@b", "token_uri": "x"}']
    )
    def test_a_broken_key_is_said_but_not_shown(self, tmp_path: Path, content: str) -> None:
        file = tmp_path / "google-key.json"
        file.touch(mode=0o600)
        file.write_text(content)
        with pytest.raises(InvalidError, match="not the key of a service account") as caught:
            GoogleApi(self.settings(), tmp_path)
        assert "s3cret" not in str(caught.value)

    def test_a_key_that_google_refuses_is_said_but_not_shown(self, tmp_path: Path) -> None:
        file = tmp_path / "google-key.json"
        file.touch(mode=0o600)
        with GoogleAccounts() as accounts:
            file.write_text(accounts.service_account())
            sheet = GoogleSheet(GoogleApi(self.settings(), tmp_path), SERVERS)
            for attempt in (sheet.try_out, lambda: sheet.read("Jobs")):
                with pytest.raises(UnavailableError) as caught:
                    attempt()
                assert "does not accept the key of lab@made.example: invalid_grant" in str(caught.value)
                assert "Check this machine's clock" in str(caught.value)
                assert "PRIVATE KEY" not in str(caught.value)
            sheet.close()


def test_silence_is_bounded(
    server: SheetsServer, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_account, "_TIMEOUT_SECONDS", 0.3)
    settings = GoogleSettings(spreadsheet="lab", api_endpoint=server.address)
    hasty = GoogleSheet(GoogleApi(settings, tmp_path, clock=clock), SERVERS)
    server.faults_ahead.append(Fault(status=503, seconds=1))
    with pytest.raises(UnavailableError, match="did not answer within"):
        hasty.publish([texts("one")])
    hasty.publish([texts("one")])
    hasty.close()
