"""Compressed readings with the past of each server, the GPUs that it ever had, and the use of each GPU."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "pasts",
        sa.Column("server", sa.Text, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "known_gpus",
        sa.Column("server", sa.Text, primary_key=True),
        sa.Column("uuid", sa.Text, primary_key=True),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("name", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "gpu_means",
        sa.Column("server", sa.Text, primary_key=True),
        sa.Column("at", sa.Integer, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "held_gpus",
        sa.Column("server", sa.Text, primary_key=True),
        sa.Column("gpu", sa.Text, primary_key=True),
        sa.Column("since", sa.Integer, nullable=False),
        sa.Column("seen_at", sa.Integer, nullable=False),
        sa.Column("people", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "gpu_hours",
        sa.Column("hour", sa.Integer, primary_key=True),
        sa.Column("server", sa.Text, primary_key=True),
        sa.Column("known_minutes", sa.Integer, nullable=False),
        sa.Column("free_minutes", sa.Integer, nullable=False),
        sa.Column("gpus", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.add_column("gpu_time", sa.Column("idle_seconds", sa.Float, nullable=False, server_default="0"))
