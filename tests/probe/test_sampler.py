import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.probe import background, disks
from backend.probe.sampler import Sampler
from backend.probe.snapshot import HostReading, Snapshot
from backend.servers.state import State
from backend.servers.use import use_of
from backend.text import plain_text
from backend.times import now
from tests.patience import PATIENCE_SECONDS


def test_a_snapshot_of_this_machine(tmp_path: Path) -> None:
    with Sampler("here", tmp_path) as sampler:
        sampler.sample()
        for _ in range(20 * PATIENCE_SECONDS):
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


def test_a_disk_that_hangs_is_told_and_hides_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    read_disk, name = disks.read_disk, plain_text(f"disk {tmp_path}", 64)

    def read(folder: Path, *, must_be_writable: bool) -> dict[str, Any]:
        if folder == tmp_path:
            released.wait(PATIENCE_SECONDS)
        return read_disk(folder, must_be_writable=must_be_writable)

    monkeypatch.setattr(background, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(disks, "read_disk", read)
    with Sampler("here", tmp_path) as sampler:
        while name not in (host := host_of(sampler)).not_answering:
            assert host.disk_free_gib is None
        assert host.memory_total_mib
        assert host.not_answering[name] >= 0.2
        assert [disk.path for disk in host.disks][:1] == ["/"]
        assert use_of(Snapshot(server="here", at=now(), host=host, gpus=()), None) is State.FULL
        released.set()
        while host_of(sampler).disk_free_gib is None:
            pass
        assert name not in host_of(sampler).not_answering


def host_of(sampler: Sampler) -> HostReading:
    time.sleep(0.01)
    host = sampler.sample().host
    assert host
    return host
