"""What people note about runs."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE run_marks (
            run VARCHAR PRIMARY KEY,
            name VARCHAR NOT NULL,
            note VARCHAR NOT NULL,
            is_starred INTEGER NOT NULL,
            is_archived INTEGER NOT NULL
        )
        """
    )
