"""Connecting the lab's spreadsheet from the command line, and looking at it again later."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.api.app import create_app
from backend.errors import SheetrackError
from backend.service import connections as connection
from backend.service.serving import serving
from backend.service.wiring import Sheetrack
from backend.settings import Home
from backend.tabs.servers import servers_table
from tests.cli.command_line import Ended, run_here
from tests.google import peoples_tab
from tests.google.accounts import GoogleAccounts
from tests.google.peoples_tab import Person
from tests.google.server import Fault, SheetsServer


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.path.mkdir()
    home.servers_file.write_text('[[server]]\nname = "gpu1"\n')
    return home


@pytest.fixture
def server() -> Iterator[SheetsServer]:
    with SheetsServer() as server:
        yield server
        assert not server.faults


def connect(home: Home, *words: str) -> Ended:
    answer = run_here("connect", "google", *words, SHEETRACK_HOME=str(home.path))
    assert "Traceback" not in answer.stderr
    return answer


def use(home: Home, server: SheetsServer, more: str = "") -> None:
    google = f'[google]\nspreadsheet = "lab"\napi_endpoint = "{server.address}"\n'
    home.settings_file.write_text(google + more)


def test_connecting_and_disconnecting(home: Home, server: SheetsServer) -> None:
    peoples_tab.reserve(server.state, ["gpu1"])
    person = Person(lambda: server.state)
    before = person.work(), [tab.title for tab in server.state.tabs], len(person.tab.columns)
    use(home, server, f'[reservations]\ntab = "{peoples_tab.TITLE}"\n')
    answer = connect(home)
    assert answer.returncode == 0, answer.stderr
    assert "'Our servers' can be read and written" in answer.stdout
    assert "Beside 'Reservations' stand Verdict, GPUs" in answer.stdout
    assert server.state.tab("Servers")
    assert person.work() == before[0]
    assert len(person.tab.columns) == before[2] + 5
    again = connect(home)
    assert again.returncode == 0
    assert len(person.tab.columns) == before[2] + 5
    undone = connect(home, "--undo")
    assert "All that Sheetrack added is removed" in undone.stdout
    assert home.settings().google is None
    assert home.settings().reservations is None
    assert (person.work(), [tab.title for tab in server.state.tabs], len(person.tab.columns)) == before


ID = "1AbCdEfGhIjKlMnOpQrStUvWxYz-_0123456789abcdef"


def test_without_a_key_the_relay_is_prepared_and_nothing_is_set(home: Home) -> None:
    answer = connect(home, f"https://docs.google.com/spreadsheets/d/{ID}/edit#gid=0")
    assert answer.returncode == 1
    assert "script.google.com/create" in answer.stdout
    assert f"connect google {ID} --relay ADDRESS" in answer.stderr
    assert not home.settings_file.exists()
    script, secret = home.path / "Relay.js", home.path / "relay-secret"
    assert {file.stat().st_mode & 0o777 for file in (script, secret)} == {0o600}
    assert ID in script.read_text()
    assert secret.read_text() in script.read_text()
    assert secret.read_text() not in answer.stdout + answer.stderr


def test_a_key_is_checked_then_kept_where_only_its_owner_reads_it(home: Home, tmp_path: Path) -> None:
    given = tmp_path / "downloaded.json"
    given.write_text('{"private_key": "s3cret"}')
    answer = connect(home, ID, "--key", str(given))
    assert "is not the key of a service account" in answer.stderr
    assert "s3cret" not in answer.stderr + answer.stdout
    kept = home.path / "google-key.json"
    assert not kept.exists()
    with GoogleAccounts() as accounts:
        given.write_text(accounts.service_account())
        answer = connect(home, ID, "--key", str(given))
        assert "does not accept the key of lab@made.example" in answer.stderr
    assert kept.stat().st_mode & 0o777 == 0o600
    assert not home.settings_file.exists()


def test_what_is_missing_or_wrong_is_said_and_nothing_is_written(home: Home) -> None:
    before = sorted(home.path.iterdir())
    assert "Give the spreadsheet's ADDRESS" in connect(home).stderr
    assert "is not the address of a Google spreadsheet" in connect(home, "foo").stderr
    assert "is not the address of a web app" in connect(home, ID, "--relay", "foo").stderr
    assert connect(home, ID, "--relay", "x", "--key", str(home.servers_file)).returncode == 2
    assert sorted(home.path.iterdir()) == before
    assert "No spreadsheet is connected" in connect(home, "--undo").stderr


def test_a_sheet_that_is_not_shared_is_said(home: Home, server: SheetsServer) -> None:
    use(home, server)
    server.away = Fault(status=403, message="The caller does not have permission")
    answer = connect(home)
    assert answer.returncode == 1
    assert "Share the sheet with anyone as Editor" in answer.stderr


class TestLater:
    """What doctor finds."""

    def test_nothing_is_asked_of_a_lab_without_google(self, home: Home) -> None:
        for check in (connection.google_sheet, connection.reserved, connection.public_address):
            assert check(home) == "not set up in settings.toml"

    def test_a_connected_sheet(self, home: Home, server: SheetsServer) -> None:
        use(home, server, f'[reservations]\ntab = "{peoples_tab.TITLE}"\n')
        peoples_tab.reserve(server.state, ["gpu1"])
        assert connect(home).returncode == 0
        assert connection.google_sheet(home) == "'Our servers' can be read and written by anyone"
        assert connection.reserved(home) == "1 understood (in 'Reservations')"
        place = len(peoples_tab.HEADERS) + 1
        server.state.tab(77).put(30, place, {"userEnteredValue": {"stringValue": "mine"}})
        with pytest.raises(SheetrackError, match="Text in G31 blocks the column 'Verdict'"):
            connection.reserved(home)

    def test_the_sidebar_is_told_what_blocks_a_column_and_that_google_is_away(
        self, home: Home, server: SheetsServer
    ) -> None:
        use(home, server, f'[reservations]\ntab = "{peoples_tab.TITLE}"\n')
        peoples_tab.reserve(server.state, ["gpu1"])
        assert connect(home).returncode == 0
        sheetrack = Sheetrack(home)
        assert sheetrack.reservations
        client = create_app(sheetrack, "token").test_client()

        def told() -> list[str]:
            answer = client.get("/api/servers", headers={"Authorization": "Bearer token"})
            errors: list[str] = answer.json["sheet_errors"] if answer.json else []
            return errors

        sheetrack.reservations.refresh()
        assert told() == []
        place = len(peoples_tab.HEADERS) + 1
        server.state.tab(77).put(30, place, {"userEnteredValue": {"stringValue": "mine"}})
        sheetrack.reservations.refresh()
        assert "Text in G31 blocks the column 'Verdict'" in told()[0]
        server.away = Fault(status=403)
        sheetrack.reservations.refresh()
        sheetrack.publisher.publish([servers_table(())])
        assert not sheetrack.publisher.flush()
        (once,) = told()
        assert "Share the sheet" in once
        sheetrack.close()

    def test_a_lab_without_google_keeps_its_list_as_a_file(self, home: Home) -> None:
        home.settings_file.write_text('[reservations]\ntab = "Reservations.csv"\n')
        with pytest.raises(SheetrackError, match=r"no tab 'Reservations\.csv'") as caught:
            connection.reserved(home)
        assert str(home.peoples_tabs) in caught.value.hint
        home.peoples_tabs.mkdir()
        (home.peoples_tabs / "Reservations.csv").write_text("Server,User\ngpu1,kim\n")
        assert connection.reserved(home) == "1 understood (in 'Reservations.csv')"

    def test_the_public_address(self, home: Home) -> None:
        nowhere = '[people]\npublic_address = "http://127.0.0.1:9"\n'
        home.settings_file.write_text(nowhere)
        with pytest.raises(SheetrackError, match="does not answer") as caught:
            connection.public_address(home)
        assert "deploy/" in caught.value.hint
        with serving(Sheetrack(home), 0) as address:
            port = address.split(":")[2].split("/")[0]
            home.settings_file.write_text(f'[people]\npublic_address = "http://127.0.0.1:{port}"\n')
            with pytest.raises(SheetrackError, match="does not know that it is called so"):
                connection.public_address(home)
        with serving(Sheetrack(home), int(port)):
            assert "answers; 0 add-ons and 0 people are listed" in connection.public_address(home)

    def test_something_else_at_the_public_address(self, home: Home, server: SheetsServer) -> None:
        home.settings_file.write_text(f'[people]\npublic_address = "{server.address}"\n')
        with pytest.raises(SheetrackError, match="is not Sheetrack"):
            connection.public_address(home)
        server.faults.clear()
