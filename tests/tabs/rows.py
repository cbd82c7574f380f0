"""Rows of a section by the titles of its columns."""

from backend.sheets.table import Cell, Section


def named(section: Section, row: int = 0) -> dict[str, Cell]:
    titles = [column.title for column in section.columns]
    return dict(zip(titles, section.rows[row], strict=True))
