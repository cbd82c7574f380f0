"""The dialogue, with a person at a terminal, the relay's real script and the tests' Sheets server."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pytest

from backend.service.serving import serving
from backend.service.wiring import Sheetrack
from backend.settings import Home
from tests.apps_script.relay import DeployedRelay, deployed
from tests.cli.command_line import Ended, run_here
from tests.cli.terminal import Terminal
from tests.google import peoples_tab
from tests.google.peoples_tab import Person
from tests.google.server import SheetsServer

ID = "1AbCdEfGhIjKlMnOpQrStUvWxYz-_0123456789abcdef"
ADDRESS = f"https://docs.google.com/spreadsheets/d/{ID}/edit?gid=0#gid=0"
COMMENTED = '# ours, do not touch\ntitle = "Lab 7"  # on the door\n\n[people] # see and launch\npublic_address = "https://a.example"\n'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def server() -> Iterator[SheetsServer]:
    with SheetsServer(spreadsheet=ID) as server:
        peoples_tab.reserve(server.state, ["gpu1", "gpu2", "gpu3"])
        yield server
        assert not server.faults


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def paste(stack: ExitStack, server: SheetsServer, home: Home) -> DeployedRelay:
    """What the person does in the browser: the file that was written becomes a web app."""
    pasted = home.path.parent / "pasted.js"
    pasted.write_text((home.path / "Relay.js").read_text())
    return stack.enter_context(deployed(server, pasted))


def connected_without_reservations(stack: ExitStack, server: SheetsServer, home: Home) -> DeployedRelay:
    with Terminal(home.path, "connect", "google") as terminal:
        terminal.answer("Address of the spreadsheet", ADDRESS)
        terminal.answer("Number")
        terminal.see("Address of the web app")
        relay = paste(stack, server, home)
        terminal.answer("", relay.address)
        terminal.answer("Number", "0")
        terminal.answer("Set up the sidebar inside Google now?")
        assert terminal.end() == 0, terminal.shown
    return relay


def command(home: Home, *words: str) -> Ended:
    with Path(os.devnull).open() as nobody, patch.object(sys, "stdin", nobody):
        return run_here("connect", "google", *words, SHEETRACK_HOME=str(home.path))


def connected_by_options(stack: ExitStack, server: SheetsServer, home: Home) -> DeployedRelay:
    """By options: without a person, and without a terminal's process."""
    command(home, ID)
    relay = paste(stack, server, home)
    answer = command(home, ID, "--relay", relay.address, "--reservations", "Reservations")
    assert answer.returncode == 0, answer.stderr
    return relay


def test_from_an_empty_home_to_the_first_filled_tab(
    home: Home, server: SheetsServer, stack: ExitStack
) -> None:
    person = Person(lambda: server.state)
    before = person.work()
    with Terminal(home.path, "connect", "google") as terminal:
        terminal.answer("Address of the spreadsheet", "https://docs.google.com/document/d/1x/edit")
        terminal.see("✕ That is the address of a text document")
        assert not home.path.exists()
        terminal.answer("Address of the spreadsheet", ADDRESS)
        terminal.see("1  a script in your own Google account (recommended")
        terminal.answer("Number [1]")
        terminal.see(f"✓ Wrote {home.path / 'Relay.js'}")
        terminal.answer("Address of the web app", "https://script.google.com/macros/s/AKfycbx/dev")
        terminal.see("✕ That is the script's test address")
        relay = paste(stack, server, home)
        relay.change(sign_in=True)
        terminal.answer("Address of the web app", relay.address)
        terminal.see("✕ The relay asks for a sign-in. In the script choose Deploy > Manage deployments")
        assert not home.settings_file.exists()
        relay.change(sign_in=False)
        terminal.answer("Enter to try the same again")
        terminal.see("✓ 'Our servers' can be read and written")
        terminal.see("1  Reservations")
        terminal.see("2  Sheet1")
        assert not home.settings_file.exists()
        terminal.answer("Number [1]")
        terminal.see("✓ 'Reservations': 3 reservations:")
        terminal.see("gpu1             person 0              from 2026-03-01 00:00  until 2026-03-31")
        terminal.answer("Is that right?")
        terminal.see("✓ The spreadsheet has Servers")
        terminal.see("✓ Beside 'Reservations' stand Verdict, GPUs")
        terminal.see(f"✓ Written to {home.settings_file}")
        terminal.answer("Set up the sidebar inside Google now?")
        assert terminal.end() == 0
        secret = (home.path / "relay-secret").read_text()
        assert secret not in terminal.shown
    assert person.work() == before
    assert server.state.tab("Servers").cell(1, 1)["userEnteredValue"], "the first server has a verdict"
    settings = home.settings()
    assert settings.google
    assert (settings.google.spreadsheet, settings.google.relay) == (ID, relay.address)
    assert settings.reservations
    assert settings.reservations.tab == "Reservations"
    assert not (home.path / "Relay.js").exists()
    assert secret not in home.settings_file.read_text()
    for tab in server.state.tabs:
        assert all(secret not in str(cell) for row in tab.rows for cell in row.cells.values())


def test_stopped_in_the_middle_it_has_set_nothing(home: Home, server: SheetsServer) -> None:
    with Terminal(home.path, "connect", "google") as terminal:
        terminal.answer("Address of the spreadsheet", ADDRESS)
        terminal.answer("Number", "")
        assert terminal.interrupt("Address of the web app") == 130
    assert not home.settings_file.exists()
    assert server.calls == []


def test_it_can_be_repeated_and_changed(home: Home, server: SheetsServer, stack: ExitStack) -> None:
    relay = connected_without_reservations(stack, server, home)
    assert home.settings().reservations is None
    home.settings_file.write_text(COMMENTED + home.settings_file.read_text())
    with Terminal(home.path, "connect", "google") as terminal:
        terminal.answer(f"Address of the spreadsheet [{ID}]")
        terminal.answer("Number [1]")
        terminal.answer(f"Keep the relay at {relay.address}?")
        terminal.answer("Number [1]", "1")
        terminal.answer("Is that right?", "n")
        terminal.answer("Name the columns yourself?")
        terminal.answer("Header of the servers' names", "Machine")
        terminal.see("✕ No column is called 'Machine'")
        terminal.answer("Header of the servers' names", "server")
        terminal.answer("Header of who reserved it", "Purpose")
        terminal.answer("Header of when that begins")
        terminal.answer("Header of when that ends")
        terminal.see("gpu1             =not a formula 0")
        terminal.answer("Is that right?")
        terminal.answer("Set up the sidebar inside Google now?")
        assert terminal.end() == 0, terminal.shown
    text = home.settings_file.read_text()
    assert text.startswith(COMMENTED)
    kept = home.settings().reservations
    assert kept
    assert (kept.server, kept.person, kept.start) == ("Server", "Purpose", "")
    titles = [tab.title for tab in server.state.tabs]
    assert titles.count("Servers") == 1


def test_another_spreadsheet_is_a_question(home: Home, server: SheetsServer, stack: ExitStack) -> None:
    connected_by_options(stack, server, home)
    before = home.settings_file.read_text()
    with Terminal(home.path, "connect", "google") as terminal:
        terminal.answer("Address of the spreadsheet", ID.replace("1AbC", "2AbC"))
        terminal.see(f"Sheetrack's tabs stay in the spreadsheet used before, {ID}")
        terminal.answer("Use the other spreadsheet", "n")
        assert terminal.end() == 130
    assert home.settings_file.read_text() == before


def test_a_script_answers_with_options(home: Home, server: SheetsServer, stack: ExitStack) -> None:
    command(home, ID)
    relay = paste(stack, server, home)
    answer = command(home, ID, "--relay", relay.address, "--reservations", "Nowhere")
    assert "no tab 'Nowhere'" in answer.stderr
    assert not home.settings_file.exists()
    answer = command(home, ID, "--relay", relay.address, "--reservations", "Reservations")
    assert answer.returncode == 0, answer.stderr
    assert "✓ 'Reservations': 3 reservations" in answer.stdout
    again = command(home)
    assert again.returncode == 0, again.stderr


class TestUndo:
    def test_everything_is_as_before(self, home: Home, server: SheetsServer, stack: ExitStack) -> None:
        person = Person(lambda: server.state)
        before = person.work(), [tab.title for tab in server.state.tabs], len(person.tab.columns)
        connected_by_options(stack, server, home)
        assert len(person.tab.columns) > before[2]
        home.settings_file.write_text(COMMENTED + home.settings_file.read_text())
        answer = command(home, "--undo")
        assert answer.returncode == 0, answer.stderr
        assert (person.work(), [tab.title for tab in server.state.tabs], len(person.tab.columns)) == before
        assert server.state.marks == {}
        assert home.settings_file.read_text().strip() == COMMENTED.strip()
        assert f"{home.path / 'relay-secret'} stays" in answer.stdout

    def test_what_was_typed_into_a_column_of_ours_stays_and_is_named(
        self, home: Home, server: SheetsServer, stack: ExitStack
    ) -> None:
        connected_by_options(stack, server, home)
        tab = server.state.tab(77)
        tab.put(20, 7, {"userEnteredValue": {"stringValue": "mine"}})
        answer = command(home, "--undo")
        assert answer.returncode == 0, answer.stderr
        assert "of 'Reservations' stays, because" in answer.stdout
        assert any("mine" in str(cell) for row in tab.rows for cell in row.cells.values())

    def test_not_while_up_runs(self, home: Home, server: SheetsServer, stack: ExitStack) -> None:
        connected_by_options(stack, server, home)
        before = home.settings_file.read_text()
        with serving(Sheetrack(home), 0):
            answer = command(home, "--undo")
            assert answer.returncode == 1
            assert "`sheetrack up` runs" in answer.stderr
            assert server.state.tab("Servers")
        assert home.settings_file.read_text() == before
        assert command(home, "--undo").returncode == 0

    def test_it_needs_nothing_that_may_be_gone(
        self, home: Home, server: SheetsServer, stack: ExitStack
    ) -> None:
        person = Person(lambda: server.state)
        columns = len(person.tab.columns)
        relay = connected_by_options(stack, server, home)
        server.state.tabs.remove(server.state.tab("Servers"))
        server.state.forget_lost()
        home.store_file.unlink()
        home.settings_file.unlink()
        home.servers_file.write_text("broken = [")
        answer = command(home, "--undo", ADDRESS, "--relay", relay.address)
        assert answer.returncode == 0, answer.stderr
        assert len(person.tab.columns) == columns

    def test_a_fault_elsewhere_in_the_settings_does_not_matter(
        self, home: Home, server: SheetsServer, stack: ExitStack
    ) -> None:
        connected_by_options(stack, server, home)
        with home.settings_file.open("a") as file:
            file.write("\n[ray]\nadress = 3\n")
        answer = command(home, "--undo")
        assert "is removed from the spreadsheet" in answer.stdout
        assert server.state.marks == {}
        assert "ray.address" in answer.stderr

    def test_a_relay_that_is_gone_is_told(self, home: Home, server: SheetsServer, stack: ExitStack) -> None:
        relay = connected_by_options(stack, server, home)
        relay.change(page={"html": "Sorry, the file you have requested does not exist.", "status": 404})
        answer = command(home, "--undo")
        assert "The relay's deployment was disabled or deleted." in answer.stderr
        assert "take [google] out of settings.toml" in answer.stderr
        assert home.settings().google
