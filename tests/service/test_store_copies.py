"""The daily copy of the store, and the way back that people are told."""

import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest

from backend.database import copies
from backend.service import doctor
from backend.service.doctor import examine
from backend.service.store_copies import how_to_restore, keep_daily_copy, newest_copy
from backend.service.wiring import Sheetrack
from backend.settings import Home
from tests import examples
from tests.damage import damage

FIRST = date(2026, 3, 1)


def test_the_copies_of_a_week_are_kept(home: Home) -> None:
    sheetrack = Sheetrack(home)
    for day in range(10):
        for _ in range(2):
            keep_daily_copy(sheetrack.database, home.store_file, FIRST + timedelta(days=day))
    kept = sorted(file.name for file in copies(home.store_file).iterdir())
    assert kept == [f"store-2026-03-{day:02}.db" for day in range(4, 11)]
    assert newest_copy(home.store_file) == copies(home.store_file) / "store-2026-03-10.db"
    sheetrack.close()


def test_a_backend_copies_its_store(home: Home) -> None:
    sheetrack = Sheetrack(home)
    names = {thread.name for thread in sheetrack.periodic._timers._threads}
    assert "Sheetrack.copy_store" in names
    sheetrack.close()


def only_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {"Store": doctor.CHECKS["Store"]})


def test_what_doctor_says_of_a_damaged_store_brings_it_back(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_store(monkeypatch)
    sheetrack = Sheetrack(home)
    sheetrack.jobs.add_job(examples.job())
    keep_daily_copy(sheetrack.database, home.store_file, FIRST)
    sheetrack.close()
    assert [finding.ok for finding in examine(home)] == [True, True]
    damage(home.store_file)
    [_, store] = examine(home)
    assert not store.ok
    assert store.found.startswith(f"{home.store_file} is damaged: ")
    assert store.advice == how_to_restore(home.store_file)
    commands = store.advice.split("run: ")[1].split(". Results")[0]
    subprocess.run(["sh", "-c", commands], check=True, cwd=tmp_path)
    again = Sheetrack(home)
    assert again.jobs.unfinished_jobs() == [examples.job()]
    again.close()
    assert [finding.ok for finding in examine(home)] == [True, True]


def test_without_a_copy_the_results_come_from_their_folders(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_store(monkeypatch)
    Sheetrack(home).database.dispose()
    damage(home.store_file)
    [_, store] = examine(home)
    assert store.advice.startswith("There is no copy. Stop `sheetrack up`, then run: mv ")
