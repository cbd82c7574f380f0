"""Jobs are queued again after an end without a result."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    for column in ("attempt INTEGER NOT NULL DEFAULT 1", "retries INTEGER NOT NULL DEFAULT 0"):
        op.execute(f"ALTER TABLE jobs ADD COLUMN {column}")
    for column in ("epochs INTEGER NOT NULL DEFAULT 0", "continues VARCHAR NOT NULL DEFAULT ''"):
        op.execute(f"ALTER TABLE jobs ADD COLUMN {column}")
