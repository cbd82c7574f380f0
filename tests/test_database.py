"""The store's file: brought up to date, copied, and told to be damaged."""

import multiprocessing
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.database import SCHEMA, copies, copy_to, look_into, open_database
from backend.errors import UnavailableError
from backend.jobs.store import JobStore
from tests import examples
from tests.damage import damage
from tests.old_database import database_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "store.db"


def older(file: Path) -> None:
    """Makes `file` as an earlier release left it, with a job."""
    file.parent.mkdir(mode=0o700)
    row = {
        "number": 1, "id": "r1", "server": "gpu1", "state": "done", "reason": "", "asked_by": "kim",
        "recipe": examples.recipe().model_dump_json(), "asked_at": 0, "progress": "{}",
    }  # fmt: skip
    database_of(file, "0006", "jobs", row)


def revision(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def test_the_schema_is_left_as_it_is_while_a_backend_serves(file: Path) -> None:
    older(file)
    with pytest.raises(UnavailableError, match="A backend of another release of Sheetrack works with"):
        open_database(file, is_served=lambda: True)
    assert revision(file) == "0006"
    assert not copies(file).exists()
    database = open_database(file, is_served=lambda: False)
    assert [job.id for job in JobStore(database).finished_jobs(9)] == ["r1"]
    database.dispose()
    assert revision(file) == SCHEMA
    open_database(file, is_served=lambda: True).dispose()


def test_a_copy_is_kept_of_what_an_older_release_stored(file: Path) -> None:
    older(file)
    open_database(file).dispose()
    [copy] = copies(file).iterdir()
    assert copy.name == f"store-before-{SCHEMA}.db"
    assert revision(copy) == "0006"


def test_what_a_newer_release_stored_is_left_as_it_is(file: Path) -> None:
    open_database(file).dispose()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(UnavailableError, match=r"was made by a newer Sheetrack"):
        open_database(file)
    assert revision(file) == "9999"
    assert not copies(file).exists()


def _opened(file: Path) -> str:
    database = open_database(file)
    with database.connect() as connection:
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()
    return str(found)


def test_several_processes_bring_it_up_to_date_once(file: Path) -> None:
    older(file)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_opened, [file] * 3) == [SCHEMA] * 3
    assert len(list(copies(file).iterdir())) == 1


def test_a_copy_is_whole_or_not_there(file: Path, tmp_path: Path) -> None:
    database = open_database(file)
    JobStore(database).add_job(examples.job())
    copy = tmp_path / "copies" / "copy.db"
    copy_to(database, copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    restored = open_database(copy)
    assert JobStore(restored).unfinished_jobs() == [examples.job()]
    restored.dispose()
    before = copy.read_bytes()
    damage(file)
    with pytest.raises(UnavailableError):
        copy_to(database, copy)
    assert copy.read_bytes() == before
    assert [each.name for each in copy.parent.iterdir() if each.name.startswith(".")] == []
    database.dispose()


def test_damage_is_found_and_nothing_is_changed(file: Path) -> None:
    open_database(file).dispose()
    assert look_into(file) == (SCHEMA, "")
    damage(file)
    before = file.read_bytes()
    revision, found = look_into(file)
    assert revision is None
    assert found
    assert file.read_bytes() == before
    file.write_bytes(b"no database at all, but long enough" * 40)
    assert look_into(file) == (None, "file is not a database")
    file.write_bytes(b"")
    assert look_into(file) == (None, "")
    with pytest.raises(UnavailableError):
        look_into(file.with_name("missing.db"))
