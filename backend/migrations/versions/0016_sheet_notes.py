"""Notes about runs in the tab that people own, as they were read last."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute("CREATE TABLE sheet_notes (run VARCHAR PRIMARY KEY, note VARCHAR NOT NULL)")
