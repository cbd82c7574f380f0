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


def test_what_zfs_and_free_huge_pages_hold_is_available(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spl/kstat/zfs").mkdir(parents=True)
    (tmp_path / "spl/kstat/zfs/arcstats").write_text(
        f"name type data\nc_min 4 {1 << 30}\nsize 4 {9 << 30}\nhits 4 7\n"
    )
    (tmp_path / "meminfo").write_text(
        "MemTotal: 104857600 kB\nMemAvailable: 10485760 kB\nHugetlb: 41943040 kB\n"
    )
    pages = tmp_path / "huge" / "hugepages-1048576kB"
    pages.mkdir(parents=True)
    (pages / "free_hugepages").write_text("30\n")
    (pages / "resv_hugepages").write_text("10\n")
    monkeypatch.setattr("backend.probe.host._PROC", tmp_path)
    monkeypatch.setattr("backend.probe.host._HUGE_PAGES", tmp_path / "huge")
    assert HostProbe().read()["memory_available_mib"] == (10 + 8 + 20) * 1024


def test_swap_traffic_is_that_since_the_reading_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.probe.host._PROC", tmp_path)
    (tmp_path / "vmstat").write_text("pgpgin 9\npswpin 1000\npswpout 2000\n")
    probe = HostProbe()
    assert probe.read()["swap_mib_per_second"] is None
    (tmp_path / "vmstat").write_text("pgpgin 9\npswpin 3000\npswpout 500000\n")
    time.sleep(0.6)
    assert probe.read()["swap_mib_per_second"] > 0


def test_psutil_reads_the_same_where_there_is_no_proc() -> None:
    host, other = HostReading.model_validate(HostProbe().read()), HostReading.model_validate(read_host())
    assert other.memory_total_mib == host.memory_total_mib
    assert other.booted_at == host.booted_at
    assert other.memory_available_mib == pytest.approx(host.memory_available_mib, rel=0.2)
