"""Commands that only look, beside a backend or without one."""

from datetime import timedelta

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
