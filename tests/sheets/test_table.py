"""Tables: what they hold, and that they survive being stored."""

import pytest
from pydantic import ValidationError

from backend.sheets.table import Column, Section, Table
from tests.sheets.made_tables import tables


def test_tables_are_the_same_after_they_were_stored() -> None:
    for table in tables():
        assert Table.model_validate_json(table.model_dump_json()) == table


@pytest.mark.parametrize("row", [(), ("one",), ("one", "two", "three")])
def test_a_row_has_a_cell_for_each_column(row: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="more or fewer cells"):
        Section(columns=(Column(title="A"), Column(title="B")), rows=(row,))


def test_a_table_has_a_section() -> None:
    with pytest.raises(ValidationError):
        Table(name="Tab", rank=0, sections=())
