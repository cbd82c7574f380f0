"""What is stored of the local workbook."""

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest
import sqlalchemy as sa

from backend.database import open_database
from backend.errors import NotFoundError
from backend.sheets.table import Column, Number, Section, Table
from backend.sheets.workbook import Workbook
from backend.sheets.xlsx import write_workbook
from backend.tabs.names import SERVERS, Rank
from tests import examples
from tests.old_database import database_of
from tests.sheets.made_tables import texts


def test_tables_that_an_older_sheetrack_stored_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    section = Section(columns=(Column(title="B less A"),), rows=((Number(value=0.25, format="points"),),))
    table = Table(name="Compare a b", rank=Rank.COMPARISON.newest_first(examples.NOON), sections=(section,))
    old = table.model_dump_json(exclude={"rank"}).replace('"points"', '"change"')
    stored_at = round(examples.NOON.timestamp() * 1000)
    database_of(file, "0005", "workbook_tabs", {"name": table.name, "content": old, "updated_at": stored_at})
    database = open_database(file)
    assert Workbook(database, tmp_path, SERVERS).table(table.name)[0] == table
    database.dispose()


def test_tabs_that_an_older_sheetrack_stored_keep_their_order(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    ordered = ["Servers", "Jobs", "Results", "Leaderboard", "Usage", "Fine-tuning ch32", "Compare a b"]
    ordered += ["Run r2", "Run r1"]
    rows = [
        {
            "name": name,
            "content": "{}",
            "updated_at": round((examples.NOON - age * timedelta(days=1)).timestamp() * 1000),
        }
        for age, name in enumerate(ordered)
    ]
    database_of(file, "0007", "workbook_tabs", *reversed(rows))
    database = open_database(file)
    assert [name for name, _ in Workbook(database, tmp_path, SERVERS).tabs()] == ordered
    with database.connect() as connection:
        stored = connection.execute(sa.text("SELECT rank, content FROM workbook_tabs")).all()
    assert all(json.loads(content) == {"rank": rank} for rank, content in stored)
    database.dispose()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    database = open_database(tmp_path / "store.db")
    yield database
    database.dispose()


def test_a_tab_that_cannot_be_read_says_so_and_costs_no_other(database: sa.Engine, tmp_path: Path) -> None:
    folder = tmp_path / "tabs"
    folder.mkdir()
    workbook = Workbook(database, folder, "Jobs")
    workbook.publish([texts("one"), texts("two", name="Results", rank=1)])
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE workbook_tabs SET content = '{}' WHERE name = 'Jobs'"))
    (folder / "Dangling.csv").symlink_to(folder / "nowhere.csv")
    (folder / "Binary.csv").write_bytes(b"PK\x03\x04\x00")
    (folder / "Servers.csv").write_text("Server\none\n")
    (folder / os.fsdecode(b"Odd\xff.csv")).write_text("Server\n")
    ours = ["Jobs", "Results"]
    assert [name for name, _ in workbook.tabs()] == [
        *ours,
        "Binary.csv",
        "Dangling.csv",
        "Odd?.csv",
        "Servers.csv",
    ]
    tables = {table.name: table for table in workbook.tables()}
    for name in ours:  # whether this process wrote it or another one
        for reader in (workbook, Workbook(database, folder, "Jobs")):
            assert Table.model_validate_json(reader.table_json(name)[0]) == tables[name]
    assert "cannot be read" in tables["Jobs"].sections[0].note
    assert tables["Results"].sections[0].rows[0][0] == "two"
    assert "There is no tab 'Dangling.csv'" in tables["Dangling.csv"].sections[0].note
    assert "Save it as CSV in UTF-8" in tables["Binary.csv"].sections[0].note
    assert tables["Servers.csv"].sections[0].rows == (("one",),)
    with pytest.raises(NotFoundError, match="has no Jobs tab"):
        workbook.annotate("Servers.csv", "", ("Plain",))
    write_workbook(tmp_path / "all.xlsx", list(tables.values()), lambda picture: tmp_path / picture.figure)
    names = [name.replace("?", "-") for name in tables]
    assert openpyxl.load_workbook(tmp_path / "all.xlsx").sheetnames == names


def test_a_header_that_people_removed_is_an_error_and_their_tab_is_still_shown(
    database: sa.Engine, tmp_path: Path
) -> None:
    workbook = Workbook(database, tmp_path, "Jobs")
    workbook.publish([texts("one")])
    file = tmp_path / "Reservations.csv"
    file.write_text("Server\none\n")
    workbook.annotate(file.name, "Server", ("Number",))
    [shown] = workbook.table(file.name)[0].sections
    assert ([column.title for column in shown.columns], shown.rows) == (["Server", "Number"], (("one", 1.5),))
    assert workbook.errors() == []
    file.write_text("Machine,Who\none,kim\n")
    assert workbook.read(file.name).rows == [["Machine", "Who"], ["one", "kim"]]
    assert "has no column 'Server'" in workbook.table(file.name)[0].sections[0].note
    assert "has no column 'Server'" in workbook.errors()[0]
