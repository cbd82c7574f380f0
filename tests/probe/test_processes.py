import getpass
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from backend.probe.owners import UserNames
from backend.probe.processes import BusiestProcesses, Programs
from tests.patience import PATIENCE_SECONDS

SPIN = "while True: pass"


@pytest.fixture
def programs() -> Programs:
    return Programs(UserNames())


@pytest.fixture
def spinning() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", SPIN, "--password", "hunter2"])
    yield child
    child.kill()
    child.wait()


def known(programs: Programs, pid: int) -> tuple[str | None, str | None]:
    """Of a process that is there: its owner and its command, once they are found."""
    for _ in range(10 * PATIENCE_SECONDS):
        if all(found := programs.owner_and_command(pid)):
            break
    return found


def test_the_busiest_process_is_found(spinning: subprocess.Popen[bytes], programs: Programs) -> None:
    busiest = BusiestProcesses(programs, batch=1000, leaders=50)  # others may be busy as well
    busiest.read()
    known(programs, spinning.pid)
    time.sleep(0.3)
    found = {process["pid"]: process for process in busiest.read()}
    assert found[spinning.pid]["user"] == getpass.getuser()
    assert found[spinning.pid]["cpu_percent"] > 10
    assert "hunter2" not in found[spinning.pid]["command"]
    assert found[spinning.pid]["command"].startswith(Path(sys.executable).name)


def test_all_processes_get_their_turn(spinning: subprocess.Popen[bytes], programs: Programs) -> None:
    busiest = BusiestProcesses(programs, batch=3)
    rounds = 2 * (len(psutil.pids()) // 3 + 2)
    assert any(spinning.pid in {process["pid"] for process in busiest.read()} for _ in range(rounds + 50))


def test_a_process_that_is_gone_has_no_owner(programs: Programs) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert programs.owner_and_command(child.pid) == (None, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts processes of others")
@pytest.mark.parametrize(
    ("user", "login"),
    [(54321, ""), (None, "echo 54321 >/proc/self/loginuid && ")],
    ids=["without-a-name", "root-who-logged-in-as-another"],
)
def test_a_process_belongs_to_the_person_behind_it(programs: Programs, user: int | None, login: str) -> None:
    command = ["sh", "-c", f"{login}echo here; read _"]
    with subprocess.Popen(command, user=user, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        said = process.stdout.readline()
        owner, _ = known(programs, process.pid)
        process.kill()
    if not said:
        pytest.skip("this kernel does not let the login be set")
    assert owner == "user 54321"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
@pytest.mark.parametrize(("value", "job"), [("r0a1b2c", "r0a1b2c"), ("r0a1b2c; rm", None), ("", None)])
def test_a_process_names_the_job_that_started_it(programs: Programs, value: str, job: str | None) -> None:
    environment = {**os.environ, "SHEETRACK_JOB": value, "OTHER_SHEETRACK_JOB": "r111111"}
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) as process:
        known(programs, process.pid)
        assert programs.job(process.pid) == job
        process.communicate(b"\n")
