from pathlib import Path

import pytest

from backend.errors import SheetrackError
from backend.service.connections import answering, reserved
from backend.settings import Home
from tests.probe.fake_gpus import FakeGpus
from tests.servers.agents import AgentProcess, free_port


def test_rows_of_reservations_that_are_not_understood_are_told(home: Home) -> None:
    home.peoples_tabs.mkdir(parents=True)
    home.settings_file.write_text('[reservations]\ntab = "Servers.csv"\n')
    tab = home.peoples_tabs / "Servers.csv"
    tab.write_text("Our servers\nServer,Who,From,Until\ngpu1,Kim,,20261203\ngpu2,Lee,-700000,\ngpu3,Max,,\n")
    with pytest.raises(SheetrackError) as told:
        reserved(home)
    assert told.value.message == (
        "2 understood, row 4 not: no date in '-700000' (in 'Servers.csv')."
        " gpu1 is not set up yet. gpu3 is not set up yet."
    )
    assert told.value.hint.startswith("A row that is not understood reserves nothing.")
    tab.write_text("Server,Who,From,Until\ngpu1,Kim,,20261203\n")
    assert reserved(home).startswith("1 understood (in 'Servers.csv')\n")


def test_a_column_that_the_servers_tab_does_not_have_is_told(home: Home) -> None:
    home.peoples_tabs.mkdir(parents=True)
    (home.peoples_tabs / "R.csv").write_text("Server,User\ngpu1,Kim\n")
    home.settings_file.write_text('[reservations]\ntab = "R.csv"\nshow = ["Verdict", "Nonsense"]\n')
    with pytest.raises(SheetrackError, match="The Servers tab has no column 'Nonsense'") as told:
        reserved(home)
    assert "Verdict, GPUs, Free GPU memory" in told.value.hint


def test_a_name_of_no_server_is_told_with_the_nearest(home: Home) -> None:
    home.peoples_tabs.mkdir(parents=True)
    home.settings_file.write_text('[reservations]\ntab = "Servers.csv"\n')
    home.servers_file.write_text('[[server]]\nname = "gpu1"\nagent = "http://127.0.0.1:9"\n')
    (home.peoples_tabs / "Servers.csv").write_text("Server,Who\nGPU 1,Kim\ngpu2,Lee\nhera,Max\n")
    told = reserved(home)
    assert "gpu2 is not set up yet; correct it if it is gpu1, or add to servers.toml:" in told
    assert "hera is not set up yet; add to servers.toml:" in told


def test_a_list_without_people_is_told_and_is_no_error(home: Home) -> None:
    home.peoples_tabs.mkdir(parents=True)
    home.settings_file.write_text('[reservations]\ntab = "Servers.csv"\n')
    (home.peoples_tabs / "Servers.csv").write_text("Server,CPU\ngpu1,64 cores\n")
    assert "0 understood (in 'Servers.csv')\n'Servers.csv' has no column of people" in reserved(home)


def test_servers_that_cannot_be_read_are_told(home: Home, tmp_path: Path, fake_gpus: FakeGpus) -> None:
    home.make()
    (tmp_path / "agent").mkdir()
    agent = AgentProcess("gpu2", tmp_path / "agent", fake_gpus)
    try:
        agent.wait()
        here = '[[server]]\nname = "gpu1"\n'
        entry = '[[server]]\nname = "{}"\nagent = "{}"\ntoken_file = "{}"\n'
        there = entry.format("gpu2", agent.server.agent, agent.server.token_file)
        home.servers_file.write_text(here + there)
        assert answering(home) == "gpu1, gpu2"
        silent = entry.format("gpu3", f"http://127.0.0.1:{free_port()}", agent.server.token_file)
        home.servers_file.write_text(here + there + silent + entry.format("gpu4", agent.server.agent, "none"))
        with pytest.raises(SheetrackError) as told:
            answering(home)
    finally:
        agent.kill()
    assert told.value.message.startswith(
        "Of gpu1, gpu2, gpu3, gpu4, 2 cannot be read. gpu3: agent not answering (connection refused). gpu4: The token"
    )
