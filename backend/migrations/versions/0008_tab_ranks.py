"""Tables carry the rank by which their tabs are ordered."""

from alembic import op

revision = "0008"
down_revision = "0007"

_STEP = 10**10


def upgrade() -> None:
    op.execute("ALTER TABLE workbook_tabs ADD COLUMN rank INTEGER NOT NULL DEFAULT 0")
    for table, name, at in (("workbook_tabs", "name", "updated_at"), ("outbox", "tab", "put_at")):
        rank = f"""CASE
            WHEN {name} = 'Servers' THEN 0
            WHEN {name} = 'Jobs' THEN {1 * _STEP}
            WHEN {name} = 'Results' THEN {2 * _STEP}
            WHEN {name} = 'Leaderboard' THEN {3 * _STEP}
            WHEN {name} = 'Usage' THEN {4 * _STEP}
            WHEN {name} LIKE 'Fine-tuning %' THEN {5 * _STEP}
            WHEN {name} LIKE 'Compare %' THEN {7 * _STEP} - {at} / 1000
            ELSE {8 * _STEP} - {at} / 1000
        END"""
        # No text from outside is in these statements.
        if table == "workbook_tabs":
            op.execute(f"UPDATE {table} SET rank = {rank}")  # noqa: S608
        op.execute(
            f"UPDATE {table} SET content = json_set(content, '$.rank', {rank}) WHERE json_valid(content)"  # noqa: S608
        )
