"""Five-minute means, who had the GPUs, and times of trouble."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "means",
        sa.Column("server", sa.Text, primary_key=True),
        sa.Column("at", sa.Integer, primary_key=True),
        sa.Column("cpu_percent", sa.Float),
        sa.Column("memory_used_percent", sa.Float),
        sa.Column("gpu_percent", sa.Float),
        sa.Column("gpu_memory_percent", sa.Float),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "gpu_time",
        sa.Column("hour", sa.Integer, primary_key=True),
        sa.Column("server", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("seconds", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "troubles",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", sa.Integer, nullable=False),
        sa.Column("until", sa.Integer),
    )
    op.create_index("troubles_by_server", "troubles", ["server", "since"])
