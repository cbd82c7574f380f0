"""`sheetrack fetch`: the checkpoint of a run comes from the agent of its server."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.agent import create_agent
from backend.api.http_server import HttpServer
from backend.jobs.engines import run_fetch
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models.run_folder import RunFolder
from tests import examples
from tests.cli.command_line import complaint, run_here
from tests.servers.agents import TOKEN, token_file

RUN = "r3f2a9b"
WEIGHTS = bytes(range(256)) * 100


@pytest.fixture
def there(tmp_path: Path, home: Home) -> Iterator[RunFolder]:
    """The run on its server, whose agent answers."""
    runs = tmp_path / "there" / "runs"
    folder = RunFolder.receive(runs, RUN, examples.recipe())
    folder.checkpoint_file.write_bytes(WEIGHTS)
    folder.start_file.write_bytes(WEIGHTS[:7])
    (folder.path / "mail.txt").write_text("not ours")
    agent = create_agent(lambda: pytest.fail("asked for a reading"), lambda _: [], runs, TOKEN)
    home.path.mkdir()
    listener = socket.create_server(("127.0.0.1", 0))
    server = HttpServer(agent, listener, threads=2, largest_body_bytes=1024, most_connections=10)
    server.start()
    home.servers_file.write_text(
        f'[[server]]\nname = "gpu1"\nagent = "http://127.0.0.1:{server.port}"\n'
        f'token_file = "{token_file(tmp_path)}"\n'
    )
    sheetrack = Sheetrack(home)
    sheetrack.jobs.add_job(examples.job(RUN))
    sheetrack.close()
    yield folder
    server.close()


def test_the_checkpoint_comes_in_parts_and_once(
    there: RunFolder, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_fetch, "_PART_BYTES", 10_000)
    here = RunFolder(home.runs / RUN)
    answer = run_here("fetch", RUN)
    assert (answer.returncode, answer.stdout) == (0, f"{here.path}: 3 files new\n"), answer.stderr
    assert answer.stderr.split() == ["checkpoint.pt", "recipe.json", "start.pt"]
    assert here.checkpoint_file.read_bytes() == WEIGHTS
    assert not (here.path / "mail.txt").exists()
    assert {file.name for file in here.path.iterdir()} == {"checkpoint.pt", "recipe.json", "start.pt"}
    assert run_here("fetch", RUN).stdout == f"{here.path}: 0 files new\n"
    there.checkpoint_file.write_bytes(WEIGHTS[1:])
    assert run_here("fetch", RUN).stdout == f"{here.path}: 1 file new\n"
    assert here.checkpoint_file.read_bytes() == WEIGHTS[1:]


def test_a_run_that_is_not_on_its_server_is_said(there: RunFolder) -> None:
    there.path.rename(there.path.with_name("r0moved"))
    assert f"gpu1 has no run {RUN}." in complaint(run_here("fetch", RUN), 1)
    assert "r999999" in complaint(run_here("fetch", "r999999"), 1)


def test_a_run_of_this_machine_needs_no_fetching(home: Home) -> None:
    folder = RunFolder.create(home.runs, examples.recipe())
    assert run_here("fetch", folder.id).stdout == f"{folder.id} is here: {folder.path}\n"
