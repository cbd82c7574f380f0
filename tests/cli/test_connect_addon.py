"""The dialogue that connects the sidebar, and what `sheetrack up` does in its terminal."""

import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

from backend.cli.watch import watch
from backend.service.wiring import Sheetrack
from backend.settings import Home
from tests.cli.command_line import Ended, run_here
from tests.cli.terminal import Terminal
from tests.google.accounts import GoogleAccounts
from tests.patience import PATIENCE_SECONDS, wait_until

ID = "1AbCdEfGhIjKlMnOpQrStUvWxYz-_0123456789abcdef"
PUBLIC = "sheetrack.lab.example"
OTHER = "456.apps.googleusercontent.com"


@pytest.fixture
def home(home: Home) -> Home:
    home.path.mkdir()
    home.settings_file.write_text(f'[google] # ours\nspreadsheet = "{ID}"\n')
    return home


def connect(home: Home, *words: str) -> Ended:
    return run_here("connect", "addon", *words, SHEETRACK_HOME=str(home.path))


def test_options_answer_in_scripts(home: Home) -> None:
    answer = connect(home, "https://Sheetrack.lab.example/", "--launch", "kim@lab.example")
    assert answer.returncode == 0, answer.stderr
    people = home.settings().people
    assert people
    assert (people.public_address, people.launch) == (f"https://{PUBLIC}", ("kim@lab.example",))
    assert sorted(file.name for file in (home.path / "add-on").iterdir()) == [
        "Code.js",
        "Sidebar.html",
        "appsscript.json",
    ]
    assert f"create-script --title Sheetrack --parentId {ID}" in answer.stdout
    assert "http://127.0.0.1:8000/add-on" in answer.stdout
    again = connect(home)
    assert again.returncode == 0
    assert home.settings().people == people
    assert "# ours" in home.settings_file.read_text()


@pytest.mark.parametrize("address", ["http://lab.example", "https://localhost:8000", "https://lab.example/x"])
def test_an_address_that_google_cannot_call_is_refused(home: Home, address: str) -> None:
    before = home.settings_file.read_text()
    answer = connect(home, address)
    assert answer.returncode == 1
    assert home.settings_file.read_text() == before


def test_without_a_spreadsheet_it_says_what_comes_first(home: Home) -> None:
    home.settings_file.unlink()
    assert "Run: sheetrack connect google" in connect(home, "https://lab.example").stderr


def test_a_person_chooses_a_tunnel(home: Home) -> None:
    with Terminal(home.path, "connect", "addon", "--port", "8123") as terminal:
        terminal.see("1  Tailscale Funnel (recommended")
        terminal.answer("Number [1]")
        terminal.see("tailscale funnel --bg 8123")
        terminal.answer("Address that it has now", "http://127.0.0.1:8123")
        terminal.see("is not an address that Google can call")
        terminal.answer("Address that it has now", f"https://{PUBLIC}")
        terminal.answer("Google addresses of those who may launch", "kim")
        terminal.see("'kim' is not a mail address")
        terminal.answer("Google addresses of those who may launch", "")
        terminal.see("Start `sheetrack up`")
        terminal.see("http://127.0.0.1:8123/add-on")
        assert terminal.end() == 0
    people = home.settings().people
    assert people
    assert (people.public_address, people.launch) == (f"https://{PUBLIC}", ())


class TestUp:
    @pytest.fixture
    def accounts(self) -> Iterator[GoogleAccounts]:
        with GoogleAccounts() as accounts:
            yield accounts

    @pytest.fixture
    def port(self) -> int:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
            return port

    def up(self, home: Home, port: int, accounts: GoogleAccounts) -> Terminal:
        first = (
            "from backend.api.google_identity import GoogleIdentity\n"
            f"GoogleIdentity.__init__.__defaults__ = ({accounts.address!r},)"
        )
        home.settings_file.write_text(f'[people]\npublic_address = "https://{PUBLIC}"\n')
        return Terminal(home.path, "up", "--port", str(port), first=first)

    def ask(self, port: int, token: str) -> int:
        headers = {"Host": PUBLIC, "Authorization": f"Bearer {token}"}
        return httpx.get(f"http://127.0.0.1:{port}/api/sidebar", headers=headers, timeout=60).status_code

    def test_one_key_lets_an_add_on_in_without_a_restart(
        self, home: Home, port: int, accounts: GoogleAccounts
    ) -> None:
        with self.up(home, port, accounts) as terminal:
            terminal.see("Sheetrack is at")
            assert self.ask(port, accounts.token(aud=OTHER)) == 403
            terminal.see(f"kim@lab.example asks to use the add-on in the spreadsheet, client ID {OTHER}")
            terminal.type("Let it in? y or n", "xy")
            terminal.see("✓ kim@lab.example is let in.")
            terminal.see("settings.toml is read again.")
            assert self.ask(port, accounts.token(aud=OTHER)) == 200
            assert self.ask(port, accounts.token(aud="789.apps.googleusercontent.com")) == 403
            terminal.see("client ID 789.apps.googleusercontent.com")
            terminal.type("Let it in? y or n", "n")  # keys that come before the question are no answer to it
            terminal.type("", "\x03")
            terminal.see("Stopped. Trainings continue.")
            assert terminal.end() == 0

    def test_settings_are_read_again_and_wrong_ones_are_told(
        self, home: Home, port: int, accounts: GoogleAccounts
    ) -> None:
        with self.up(home, port, accounts) as terminal:
            shown = terminal.see("?token=") + terminal.see("\n")
            token = shown.split("?token=")[1].split()[0]
            headers = {"Authorization": f"Bearer {token}"}
            origin = f"http://127.0.0.1:{port}"

            def title() -> str:
                text: str = httpx.get(f"{origin}/api/tables", headers=headers, timeout=60).json()["title"]
                return text

            good = home.settings_file.read_text()
            home.settings_file.write_text(f'title = "Lab 7"\n{good}')
            terminal.see("settings.toml is read again.")
            assert title() == "Lab 7"
            home.settings_file.write_text('title = "Lab 8"\nnonsense = 1\n')
            terminal.see("changed and is not used")
            assert title() == "Lab 7"
            answer = httpx.get(f"{origin}/api/sidebar", headers=headers, timeout=60).json()
            assert any("nonsense" in error for error in answer["sheet_errors"])
            home.settings_file.write_text(f'title = "Lab 9"\n{good}')
            terminal.see("settings.toml is read again.")
            wait_until(lambda: title() == "Lab 9")


def test_a_backend_without_a_terminal_points_to_the_page(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    sheetrack = Sheetrack(home)
    sheetrack.pairing.note(OTHER, "kim@lab.example")
    ours, theirs = socket.socketpair()
    said: list[str] = []
    ended: list[Sheetrack | None] = []
    thread = threading.Thread(target=lambda: ended.append(watch(sheetrack, ours)))
    thread.start()

    def is_told() -> bool:
        said.append(capsys.readouterr().out)
        return "Let it in on the page." in "".join(said)

    wait_until(is_told)
    theirs.send(b"x")
    thread.join(PATIENCE_SECONDS)
    assert ended == [None]
    ours.close()
    theirs.close()
    sheetrack.close()
