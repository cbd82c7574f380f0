"""Differences of fractions are shown in percentage points."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for table in ("workbook_tabs", "outbox"):
        op.execute(
            f"""UPDATE {table} SET content = replace(content, '"format":"change"', '"format":"points"')"""  # noqa: S608
        )
