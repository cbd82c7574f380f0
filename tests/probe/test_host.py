import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from backend.probe.host import HostProbe, read_pressure
from backend.probe.snapshot import HostReading
from backend.probe.without_proc import read_host


@pytest.fixture
def spinning() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield child
    child.kill()
    child.wait()


def test_cpu_use_is_not_known_at_first_and_never_invented(spinning: subprocess.Popen[bytes]) -> None:
    probe = HostProbe()
    assert probe.read()["cpu_percent"] is None
    time.sleep(0.6)
    # One core spins; whatever else runs adds to it.
    assert probe.read()["cpu_percent"] > 50 / (psutil.cpu_count() or 1)


def test_readings_are_plausible() -> None:
    host = HostReading.model_validate(HostProbe().read())
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
    assert set(HostProbe().read()["pressure"].values()) == {None}


def test_what_this_machine_does_not_have_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.probe.host._PROC", tmp_path)
    host = HostReading.model_validate(HostProbe().read())
    assert (host.memory_total_mib, host.swap_used_mib, host.cpu_percent, host.booted_at) == (None,) * 4
    assert host.cpu_count == os.cpu_count()


def test_psutil_reads_the_same_where_there_is_no_proc() -> None:
    host, other = HostReading.model_validate(HostProbe().read()), HostReading.model_validate(read_host())
    assert other.memory_total_mib == host.memory_total_mib
    assert other.booted_at == host.booted_at
    assert other.memory_available_mib == pytest.approx(host.memory_available_mib, rel=0.2)
