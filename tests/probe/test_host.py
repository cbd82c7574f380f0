import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from backend.probe.background import BackgroundReader
from backend.probe.host import HostProbe, read_pressure
from backend.probe.processes import BusiestProcesses, owner_and_command
from backend.probe.sampler import Sampler
from backend.probe.snapshot import Process
from backend.settings import this_user
from tests.patience import wait_until

SPIN = "while True: pass"


@pytest.fixture
def spinning() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", SPIN, "--password", "hunter2"])
    yield child
    child.kill()
    child.wait()


def test_cpu_use_is_not_known_at_first_and_never_invented(spinning: subprocess.Popen[bytes]) -> None:
    probe = HostProbe()
    assert probe.read().cpu_percent is None
    time.sleep(0.6)
    # One core spins; whatever else runs adds to it.
    assert (probe.read().cpu_percent or 0) > 50 / (psutil.cpu_count() or 1)


def test_readings_are_plausible() -> None:
    host = HostProbe().read()
    assert host.cpu_count == psutil.cpu_count()
    assert host.memory_total_mib == pytest.approx(psutil.virtual_memory().total / 2**20, abs=1)
    assert 0 < (host.memory_used_fraction or 0) < 1
    assert host.booted_at
    assert host.booted_at.timestamp() == pytest.approx(psutil.boot_time(), abs=2)
    assert host.load_1min == pytest.approx(os.getloadavg()[0], abs=0.5)


@pytest.mark.skipif(not Path("/proc/pressure/memory").exists(), reason="this kernel accounts for no pressure")
def test_pressure_is_the_kernels_own_figure() -> None:
    line = next(
        line for line in Path("/proc/pressure/cpu").read_text().splitlines() if line.startswith("some")
    )
    assert read_pressure("cpu", "some") == pytest.approx(float(line.split("avg60=")[1].split()[0]), abs=5)


def test_a_kernel_without_pressure_says_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.probe.host._PRESSURE", tmp_path)
    pressure = HostProbe().read().pressure
    assert (pressure.cpu_some_percent, pressure.memory_full_percent, pressure.io_full_percent) == (None,) * 3


def test_the_busiest_process_is_found(spinning: subprocess.Popen[bytes]) -> None:
    busiest = BusiestProcesses(batch=1000)
    found: dict[int, Process] = {}

    def spins() -> bool:
        found.update({process.pid: process for process in busiest.read()})
        return spinning.pid in found and (found[spinning.pid].cpu_percent or 0) > 10

    wait_until(spins)
    assert found[spinning.pid].user == this_user()
    assert found[spinning.pid].command == Path(sys.executable).name


def test_all_processes_get_their_turn(spinning: subprocess.Popen[bytes]) -> None:
    busiest = BusiestProcesses(batch=3)
    rounds = 2 * (len(psutil.pids()) // 3 + 2)
    assert any(spinning.pid in {process.pid for process in busiest.read()} for _ in range(rounds + 50))


def test_a_process_that_is_gone_has_no_owner() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert owner_and_command(child.pid) == (None, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts processes of others")
@pytest.mark.parametrize(
    ("user", "login"),
    [(54321, ""), (None, "echo 54321 >/proc/self/loginuid && ")],
    ids=["unknown-outside-its-container", "root-who-logged-in-as-another"],
)
def test_a_process_belongs_to_whoever_is_behind_it(user: int | None, login: str) -> None:
    command = ["sh", "-c", f"{login}echo here; read _"]
    with subprocess.Popen(command, user=user, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        said = process.stdout.readline()
        owner, _ = owner_and_command(process.pid)
        process.kill()
    if not said:
        pytest.skip("this kernel lets nobody say who logged in")
    assert owner == "54321"


def test_a_snapshot_of_this_machine(tmp_path: Path) -> None:
    with Sampler("here", tmp_path) as sampler:
        sampler.sample()
        for _ in range(2000):
            snapshot = sampler.sample()
            if snapshot.host and snapshot.host.disk_free_gib and snapshot.host.top:
                break
            time.sleep(0.05)
    assert snapshot.server == "here"
    assert snapshot.failure is None
    assert snapshot.host
    assert snapshot.host.disk_free_gib == pytest.approx(psutil.disk_usage(str(tmp_path)).free / 2**30, abs=1)
    assert snapshot.host.top


def test_many_may_ask_at_once(tmp_path: Path) -> None:
    with Sampler("here", tmp_path) as sampler:
        seen: list[float | None] = []

        def ask() -> None:
            seen.extend(
                snapshot.host.memory_total_mib
                for snapshot in (sampler.sample() for _ in range(50))
                if snapshot.host
            )

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(seen) == 400
    assert len(set(seen)) == 1


def test_a_disk_that_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    with Sampler("here", tmp_path / "missing") as sampler:
        host = sampler.sample().host
    assert host
    assert host.disk_free_gib is None
    assert host.memory_total_mib


def test_a_reading_that_hangs_is_waited_for_once() -> None:
    server, client = socket.socketpair()
    watched = BackgroundReader("line", lambda: server.recv(1), fresh_seconds=0)
    client.send(b"1")
    assert watched.latest(10).value == b"1"
    first = watched.latest(0.01)
    assert first.value == b"1"
    # Were it waited for again, this would take more than the test is given.
    for _ in range(100):
        assert watched.latest(60).value == b"1"
    client.send(b"2")
    while watched.latest(0).value == b"1":
        time.sleep(0.01)
    assert watched.latest(0).value == b"2"
    client.close()
    watched.close()
    server.close()


def test_a_reading_that_fails_keeps_the_one_before(caplog: pytest.LogCaptureFixture) -> None:
    answers = iter([1])
    watched = BackgroundReader("numbers", lambda: next(answers), fresh_seconds=0)
    assert watched.latest(10).value == 1
    later = watched.latest(10)
    watched.close()
    assert later.value == 1
    assert "numbers cannot be read" in caplog.text
