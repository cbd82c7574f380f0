"""What is stored of the local workbook."""

import json
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from backend.database import open_database
from backend.sheets.table import Column, Number, Section, Table
from backend.sheets.workbook import Workbook
from backend.tabs.names import SERVERS, Rank
from tests import examples
from tests.old_database import database_of


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
