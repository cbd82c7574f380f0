"""Commands that only look, beside a backend or without one."""

import subprocess
import sys
from datetime import timedelta

import pytest

from backend.database import open_database
from backend.servers.readings import Readings
from backend.servers.server import this_machine
from backend.settings import Home
from backend.times import now
from tests.cli.command_line import data, run_here


def test_status_counts_reservations_and_stores_nothing(home: Home) -> None:
    home.peoples_tabs.mkdir(parents=True)
    tab = home.peoples_tabs / "Servers.csv"
    home.settings_file.write_text('[reservations]\ntab = "Servers.csv"\n')
    tab.write_text(f"Server;Who;Until\n{this_machine()};Max;\n{this_machine()};Kim;soon\nnode77;Lee;\n")
    looked = run_here("status", "--json")
    [server] = data(looked)
    assert (server["name"], server["reserved"], server["suggested"]) == (this_machine(), "Max", False)
    assert server["snapshot"]["host"]["cpu_percent"] is not None
    assert looked.stderr == (
        "Reservations: 2 understood, row 3 not: no date in 'soon'. A row that is not understood reserves nothing. "
        "Write dates like 2026-11-22 or 2026-11-22 18:00.\n"
        "The tab reserves node77, which no server is called. Correct the name there, or add to servers.toml:\n"
        '[[server]]\nname = "node77"\nagent = "ssh://node77"\n'
    )
    shown = run_here("status")
    assert "Reserved" in shown.stdout
    assert "Max" in shown.stdout
    database = open_database(home.store_file)
    assert Readings(database).between(this_machine(), now() - timedelta(hours=1)) == []
    database.dispose()


def test_status_without_the_tab_says_so(home: Home) -> None:
    home.path.mkdir()
    home.settings_file.write_text('[reservations]\ntab = "Servers.csv"\n')
    looked = run_here("status", "--json")
    [server] = data(looked)
    assert server["reserved"] is None
    assert "There is no tab 'Servers.csv'." in looked.stderr


def test_the_status_is_shown_again_until_it_is_interrupted(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[None] = []

    def pause() -> None:
        waits.append(None)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("backend.cli.look._pause", pause)
    shown = run_here("status", "--watch")
    assert (shown.returncode, len(waits)) == (0, 3)
    assert shown.stdout.count(this_machine()) == 3


def test_networks_are_listed_short_and_whole(home: Home) -> None:
    short = run_here("architectures").stdout
    [line] = [line for line in short.splitlines() if line.startswith("ch128 ")]
    assert line.split() == ["ch128", "9", "of", "1", "to", "9", "yes", "2,071,184", "2,071,184", "1,410.5"]
    assert len(run_here("architectures", "--all").stdout.splitlines()) == 1 + len(
        data(run_here("architectures", "--json"))
    )


def test_networks_that_cannot_be_used_stand_below_the_others(home: Home) -> None:
    folder = home.path / "architectures"
    folder.mkdir(parents=True)
    (folder / "ch32.py").touch()
    (folder / "my-net.py").touch()
    listed, faulty = run_here("architectures").stdout.split("Cannot be used")
    assert "94,768" in listed
    assert "8 of 1 to 9" in listed
    assert [line.split()[0] for line in faulty.splitlines() if "/" not in line and line[:1].strip()] == [
        "Network",
        "ch32",
        "my-net",
    ]


def test_help_imports_no_command() -> None:
    listed = """
import sys
from backend.cli import sheetrack
sheetrack.main(["--help"], standalone_mode=False)
print([name for name in sys.modules if name.startswith("backend.cli.") or name in ("pydantic", "sqlalchemy")])
"""
    shown = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True).stdout
    assert "  confirm-gpus   Confirms that missing GPUs of a server are gone.\n" in shown
    assert shown.endswith("[]\n")


def imported(*words: str) -> set[str]:
    """The modules that a command has imported at its end."""
    listed = f"""
import contextlib, gc, io, sys
from backend.cli import sheetrack
with contextlib.redirect_stdout(io.StringIO()):
    sheetrack.main({list(words)!r}, standalone_mode=False)
assert gc.isenabled()
assert gc.get_freeze_count(), "the collector looks at all that was imported"
print(*sys.modules)
"""
    shown = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True).stdout
    return set(shown.split())


OTHER_COMMANDS_NEED = {
    "alembic.command",
    "apprise",
    "apscheduler",
    "backend.jobs.queue",
    "backend.notifications.notifier",
    "backend.servers.reservations",
    "backend.sheets.workbook",
    "backend.tabs.display",
    "backend.tabs.leaderboard",
    "dateparser",
    "flask",
    "google.auth",
    "gspread",
    "models.explanation",
    "numpy",
    "requests",
    "rich.console",
    "sqlalchemy.orm",
}
"""Modules that take long to import, or bring such."""


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        ("jobs", "backend.tabs.jobs"),
        ("status", "backend.tabs.servers"),
        ("results", "backend.tabs.results"),
        ("runs bin", "backend.jobs.run_bin"),
    ],
)
def test_a_command_that_looks_imports_what_it_shows_alone(home: Home, command: str, needed: str) -> None:
    open_database(home.store_file).dispose()  # a new one is made with Alembic
    modules = imported(*command.split())
    assert needed in modules
    assert modules & OTHER_COMMANDS_NEED == set()
