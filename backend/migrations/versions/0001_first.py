"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "snapshots",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("at", sa.Integer, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_index("snapshots_by_server", "snapshots", ["server", "at"])
    op.create_index("snapshots_by_time", "snapshots", ["at"])
    op.create_table(
        "jobs",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("key", sa.Text, unique=True),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, index=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("recipe", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("asked_at", sa.Integer, nullable=False),
        sa.Column("started_at", sa.Integer),
        sa.Column("ended_at", sa.Integer),
        sa.Column("handle", sa.Text),
        sa.Column("progress", sa.Text, nullable=False),
    )
    op.create_table(
        "results",
        sa.Column("run", sa.Text, primary_key=True),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("finished_at", sa.Integer, nullable=False, index=True),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("tab", sa.Text, primary_key=True),
        sa.Column("content", sa.Text),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("put_at", sa.Integer, nullable=False),
    )
    op.create_table(
        "workbook_tabs",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Integer, nullable=False),
    )
