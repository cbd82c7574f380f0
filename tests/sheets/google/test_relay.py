"""The relay: who it lets in, what Google answers through it, and the pages that come in place of an answer."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backend.errors import InvalidError, UnavailableError
from backend.service.relay_script import filled
from backend.settings import GoogleSettings
from backend.sheets import MismatchError
from backend.sheets.google import relay as transport
from backend.sheets.google.api import GoogleApi
from backend.sheets.google.book import METADATA
from backend.sheets.google.relay_pages import is_sign_in
from tests.apps_script.relay import SECRET, DeployedRelay, deployed, relay_settings
from tests.google.clock import Clock
from tests.google.server import Fault, SheetsServer

ADD_TAB = [{"addSheet": {"properties": {"title": "New"}}}]


@pytest.fixture
def server() -> Iterator[SheetsServer]:
    with SheetsServer() as server:
        yield server
        assert not server.faults


@pytest.fixture
def relay(server: SheetsServer, tmp_path: Path) -> Iterator[DeployedRelay]:
    pasted = tmp_path / "Relay.js"
    pasted.write_text(filled("lab", SECRET))
    with deployed(server, pasted) as relay:
        yield relay


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def api(relay: DeployedRelay, tmp_path: Path, clock: Clock) -> Iterator[GoogleApi]:
    api = GoogleApi(relay_settings(relay, tmp_path), tmp_path, clock=clock, sleep=clock.sleep)
    yield api
    api.close()


def tabs(server: SheetsServer) -> list[str]:
    return [tab.title for tab in server.state.tabs]


def page(text: str, status: int = 200) -> dict[str, object]:
    script = "<script>var text = 'server error'</script><style>a { color: red }</style>"
    return {
        "status": status,
        "html": f"<!DOCTYPE html><html><head>{script}</head><body><div>{text}</div></body></html>",
    }


class TestWhoIsLetIn:
    def test_a_signed_request_once(self, api: GoogleApi, relay: DeployedRelay, server: SheetsServer) -> None:
        api.batch_update(ADD_TAB)
        (sent,) = relay.seen()["posts"]
        assert SECRET not in sent
        again = httpx.post(relay.address, content=sent, follow_redirects=True)
        assert again.json() == {"relay": 1, "refused": "replay"}
        assert len(server.writes) == 1
        ((nonce, seconds),) = relay.seen()["cached"]
        assert nonce in sent
        assert seconds > 2 * 120, "a request is refused as old before its nonce is forgotten"

    @pytest.mark.parametrize(
        "change",
        [
            lambda sent: sent.replace("New", "Old"),
            lambda sent: "1" * 13 + sent[13:],
            lambda sent: sent[:14] + "0" * 32 + sent[46:],
            lambda sent: sent[:47] + "0" * 64 + sent[111:],
            lambda sent: sent.replace(" ", "  ", 1),
            lambda _: "",
            lambda _: "{}",
        ],
        ids=[
            "another body",
            "another time",
            "another nonce",
            "no signature",
            "another form",
            "empty",
            "JSON",
        ],
    )
    def test_nothing_else(
        self, api: GoogleApi, relay: DeployedRelay, server: SheetsServer, change: object
    ) -> None:
        api.batch_update(ADD_TAB)
        assert callable(change)
        changed = change(relay.seen()["posts"][0])
        answer = httpx.post(relay.address, content=changed, follow_redirects=True)
        assert answer.json() == {"relay": 1, "refused": "signature"}
        assert len(server.writes) == 1

    @pytest.mark.parametrize(("seconds", "said"), [(-121, "ahead of"), (121, "behind")])
    def test_a_wrong_clock_is_told(
        self, api: GoogleApi, relay: DeployedRelay, server: SheetsServer, seconds: int, said: str
    ) -> None:
        relay.change(ahead_seconds=seconds * 3)
        with pytest.raises(UnavailableError, match=rf"clock is 36\d s {said} Google's"):
            api.spreadsheet(METADATA)
        relay.change(ahead_seconds=seconds - (5 if seconds > 0 else -5))
        assert api.spreadsheet(METADATA)["sheets"]

    def test_the_secret_of_another_home_is_refused(
        self, relay: DeployedRelay, tmp_path: Path, clock: Clock
    ) -> None:
        settings = relay_settings(relay, tmp_path)
        (tmp_path / "relay-secret").write_text("0" * 64)
        other = GoogleApi(settings, tmp_path, clock=clock, sleep=clock.sleep)
        with pytest.raises(UnavailableError, match="does not know this home's secret") as caught:
            other.spreadsheet(METADATA)
        other.close()
        assert "connect google" in caught.value.hint
        assert clock.slept == []

    def test_one_spreadsheet_alone(self, relay: DeployedRelay, tmp_path: Path, server: SheetsServer) -> None:
        other = GoogleApi(relay_settings(relay, tmp_path, spreadsheet="other"), tmp_path)
        with pytest.raises(UnavailableError, match="is for another spreadsheet"):
            other.spreadsheet(METADATA)
        other.close()
        assert server.calls == []

    def test_a_secret_that_others_can_read_or_that_is_none(
        self, relay: DeployedRelay, tmp_path: Path
    ) -> None:
        settings = relay_settings(relay, tmp_path)
        (tmp_path / "relay-secret").chmod(0o640)
        with pytest.raises(InvalidError, match="Others may read the relay's secret"):
            GoogleApi(settings, tmp_path)
        (tmp_path / "relay-secret").chmod(0o600)
        (tmp_path / "relay-secret").write_text("');evil('" * 9)
        with pytest.raises(InvalidError, match="is not the secret of a relay") as caught:
            GoogleApi(settings, tmp_path)
        assert "evil" not in str(caught.value)

    def test_a_browser_is_told_that_it_is_deployed(self, relay: DeployedRelay) -> None:
        assert "is deployed" in httpx.get(relay.address).text


class TestGooglesErrors:
    def test_a_tab_that_is_not_there(self, api: GoogleApi) -> None:
        with pytest.raises(MismatchError, match="Unable to parse range: Nowhere"):
            api.values("Nowhere")

    def test_a_batch_that_does_not_fit(self, api: GoogleApi, server: SheetsServer) -> None:
        with pytest.raises(MismatchError, match="No grid with id: 5"):
            api.batch_update([*ADD_TAB, {"deleteSheet": {"sheetId": 5}}])
        assert tabs(server) == ["Sheet1"]

    @pytest.mark.parametrize(
        "fault", [Fault(status=503), Fault(status=429), Fault()], ids=["503", "429", "cut"]
    )
    def test_a_passing_one_is_tried_again(
        self, api: GoogleApi, server: SheetsServer, clock: Clock, fault: Fault
    ) -> None:
        server.faults_ahead.append(fault)
        assert api.spreadsheet(METADATA)["sheets"]
        assert len(clock.slept) == 1

    @pytest.mark.parametrize(
        ("fault", "said"),
        [
            (
                Fault(status=403, message="The caller does not have permission"),
                "Share the sheet with the account",
            ),
            (Fault(status=404, message="Requested entity was not found."), "There is no spreadsheet lab"),
            (Fault(status=401, message="Invalid Credentials"), "run `doGet` once"),
            (
                Fault(status=403, message="Google Sheets API has not been used in project 1"),
                "+ beside Services",
            ),
        ],
    )
    def test_a_lasting_one_says_what_to_do(
        self, api: GoogleApi, server: SheetsServer, clock: Clock, fault: Fault, said: str
    ) -> None:
        server.away = fault
        with pytest.raises(UnavailableError) as caught:
            api.spreadsheet(METADATA)
        assert said in str(caught.value)
        assert clock.slept == []

    def test_a_script_without_the_sheets_service(self, api: GoogleApi, relay: DeployedRelay) -> None:
        relay.change(has_service=False)
        with pytest.raises(UnavailableError, match="lacks the Google Sheets API"):
            api.spreadsheet(METADATA)


PAGES = {
    "Sorry, unable to open the file at this time.<p>Please check the address and try again.": "cannot open the relay",
    "Exception: Service invoked too many times for one day: spreadsheet.": "what Google allows its scripts in a day",
    "Service using too much computer time for one day": "what Google allows its scripts in a day",
    "There are too many scripts running simultaneously for this Google user account.": "requests reach the relay at once",
    "Exceeded maximum execution time": "longer than the 6 minutes",
    "Sorry, the file you have requested does not exist.": "disabled or deleted",
    "Script function not found: doPost": "not Sheetrack's relay",
    "You need access. Ask for access, or switch to an account with access.": "does not let us in",
    "Authorization is required to perform that action.": "has not allowed it",
    "This app is blocked by your administrator": "administrator",
    "We&#39;re sorry, a server error occurred. Please wait a bit and try again.": "script service has a fault",
    "Guten Tag, das ist &lt;etwas&gt; anderes.": "came a page: Guten Tag, das ist <etwas> anderes.",
    "": "its answer is empty",
}


class TestPages:
    @pytest.mark.parametrize("text", PAGES, ids=lambda text: text[:20])
    def test_each_has_its_own_sentence(self, api: GoogleApi, relay: DeployedRelay, text: str) -> None:
        relay.change(page=page(text))
        with pytest.raises(UnavailableError) as caught:
            api.spreadsheet(METADATA)
        assert PAGES[text] in caught.value.message
        assert caught.value.hint
        assert relay.address not in caught.value.message
        relay.change(page=None)
        assert api.spreadsheet(METADATA)["sheets"]

    def test_sentences_differ(self) -> None:
        assert len(set(PAGES.values())) == len(PAGES) - 1, "two of the pages are about the daily quota"

    def test_a_sign_in(self, api: GoogleApi, relay: DeployedRelay, clock: Clock) -> None:
        relay.change(sign_in=True)
        with pytest.raises(UnavailableError, match="asks for a sign-in") as caught:
            api.spreadsheet(METADATA)
        assert "Who has access Anyone" in caught.value.hint
        assert clock.slept == []
        assert is_sign_in("https://accounts.google.com/ServiceLogin?continue=x")
        assert not is_sign_in("https://script.googleusercontent.com/macros/echo?user_content_key=a")

    @pytest.mark.parametrize(
        "text", ["Sorry, unable to open the file at this time.", ""], ids=["page", "empty"]
    )
    def test_a_page_in_passing_costs_a_second_attempt(
        self, api: GoogleApi, relay: DeployedRelay, server: SheetsServer, clock: Clock, text: str
    ) -> None:
        relay.change(pages=[page(text)])
        api.batch_update(ADD_TAB)
        assert tabs(server) == ["Sheet1", "New"]
        assert len(clock.slept) == 1

    @pytest.mark.parametrize("status", [404, 500, 502])
    def test_pages_with_a_status(self, api: GoogleApi, relay: DeployedRelay, status: int) -> None:
        relay.change(page=page("Nothing known", status))
        with pytest.raises(UnavailableError, match="Nothing known"):
            api.spreadsheet(METADATA)

    def test_something_else_that_speaks_json(self, tmp_path: Path, server: SheetsServer) -> None:
        class Elsewhere:
            address = f"{server.address}/v4/spreadsheets/lab/exec"

        settings = relay_settings(Elsewhere(), tmp_path)  # type: ignore[arg-type]
        api = GoogleApi(settings, tmp_path)
        with pytest.raises(UnavailableError, match="is not Sheetrack's relay"):
            api.spreadsheet(METADATA)
        api.close()
        server.faults.clear()


class TestSilence:
    def test_it_is_bounded_and_the_next_call_goes_on(
        self, relay: DeployedRelay, server: SheetsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transport, "_TIMEOUT_SECONDS", 0.5)
        hasty = GoogleApi(relay_settings(relay, tmp_path), tmp_path)
        server.faults_ahead.append(Fault(status=503, seconds=2))
        with pytest.raises(UnavailableError, match=r"did not answer within 0\.5 s"):
            hasty.spreadsheet(METADATA)
        hasty.close()
        monkeypatch.undo()
        patient = GoogleApi(relay_settings(relay, tmp_path), tmp_path)
        assert patient.spreadsheet(METADATA)["sheets"]
        patient.close()

    def test_nobody_there(self, tmp_path: Path, clock: Clock) -> None:
        class Nowhere:
            address = "http://127.0.0.1:9/macros/s/lab/exec"

        api = GoogleApi(relay_settings(Nowhere(), tmp_path), tmp_path, clock=clock, sleep=clock.sleep)  # type: ignore[arg-type]
        with pytest.raises(UnavailableError, match="the relay cannot be reached"):
            api.spreadsheet(METADATA)
        api.close()
        assert len(clock.slept) == 2


@pytest.mark.parametrize(
    "address", ["http://script.google.com/macros/s/x/exec", "script.google.com/macros/s/x/exec", "https://"]
)
def test_requests_are_never_sent_in_the_clear(address: str) -> None:
    with pytest.raises(ValueError, match="relay"):
        GoogleSettings(spreadsheet="lab", relay=address)
