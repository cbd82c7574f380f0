"""GPU time that people reserved."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE reserved_time (hour INTEGER NOT NULL, server VARCHAR NOT NULL, person VARCHAR NOT NULL, "
        "seconds FLOAT NOT NULL, PRIMARY KEY (hour, server, person))"
    )
