"""A full disk: what is shown and told, and that jobs can be ended all the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from backend.database import open_database
from backend.service import disk_watch
from backend.service.disk_watch import DiskWatch
from backend.settings import Home

ROOT = Path(__file__).parents[2]


def test_a_backend_on_a_full_disk(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user name spaces")
    script = f"mount -t tmpfs -o size=40m none {tmp_path} && {sys.executable} -m tests.service.on_full_disk {tmp_path}"
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_people_are_warned_once_it_has_lasted(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    database = open_database(home.store_file)
    watch = DiskWatch(home, database, told.append, hold_seconds=60)
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    full = f"The disk of {home.path} is full. Free some space; what is pending then continues."
    for at, mib, fault, warnings in (
        (0, 100, "", []),
        (100, 3, full, []),
        (150, 100, "", []),
        (200, 3, full, []),
        (259, 3, full, []),
        (261, 2, full, [full]),
        (300, 1, full, [full]),
        (400, 100, "", [full]),
        (461, 100, "", [full, f"What is new is stored in {home.path} again."]),
        (900, 100, "", [full, f"What is new is stored in {home.path} again."]),
    ):
        clock[0] = at
        monkeypatch.setattr(disk_watch, "free_mib", lambda _, mib=mib: mib)
        watch.look()
        assert (watch.fault, told) == (fault, warnings), at
    database.dispose()
