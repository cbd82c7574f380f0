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
    assert "as Editor: anyone" in answer.stdout
    assert "'Our servers' can be read and written" in answer.stdout
    assert "1 reservation in 'Reservations'; beside them stand Verdict, GPUs" in answer.stdout
    assert server.state.tab("Servers")
    assert person.work() == before[0]
    assert len(person.tab.columns) == before[2] + 5
    again = connect(home)
    assert again.returncode == 0
    assert len(person.tab.columns) == before[2] + 5
    undone = connect(home, "--undo")
    assert "All that Sheetrack added is removed" in undone.stdout
    assert (person.work(), [tab.title for tab in server.state.tabs], len(person.tab.columns)) == before


def test_the_address_is_remembered_and_the_key_asked_for(home: Home) -> None:
    answer = connect(home, "https://docs.google.com/spreadsheets/d/1Ab-c/edit#gid=0")
    assert answer.returncode == 1
    assert "There is no service account key in" in answer.stderr
    settings = home.settings().google
    assert settings
    assert settings.spreadsheet == "1Ab-c"
    assert "names another spreadsheet, 1Ab-c" in connect(home, "2Ab-c").stderr


def test_a_key_is_kept_where_nobody_else_reads_it(home: Home, tmp_path: Path) -> None:
    given = tmp_path / "downloaded.json"
    given.write_text('{"private_key": "s3cret"}')
    answer = connect(home, "1Ab-c", "--key", str(given))
    assert "is not the key of a service account" in answer.stderr
    assert "s3cret" not in answer.stderr + answer.stdout
    assert (home.path / "google-key.json").stat().st_mode & 0o777 == 0o600


def test_what_is_missing_is_said(home: Home) -> None:
    assert "No spreadsheet is named yet" in connect(home).stderr
    assert "is no address of a spreadsheet" in connect(home, "my sheet").stderr


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
            assert check(home) == "not asked for in settings.toml"

    def test_a_connected_sheet(self, home: Home, server: SheetsServer) -> None:
        use(home, server, f'[reservations]\ntab = "{peoples_tab.TITLE}"\n')
        peoples_tab.reserve(server.state, ["gpu1"])
        assert connect(home).returncode == 0
        assert connection.google_sheet(home) == "'Our servers' can be read and written by anyone"
        assert connection.reserved(home) == "1 reservation in 'Reservations'"
        place = len(peoples_tab.HEADERS) + 1
        server.state.tab(77).put(30, place, {"userEnteredValue": {"stringValue": "mine"}})
        with pytest.raises(SheetrackError, match="typed into G31 blocks the column 'Verdict'"):
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
        assert "typed into G31 blocks the column 'Verdict'" in told()[0]
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
        assert connection.reserved(home) == "1 reservation in 'Reservations.csv'"

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
