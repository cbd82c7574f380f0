"""Sweeps, and the jobs that are a part of them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "sweeps",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("asked_at", sa.Integer, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.add_column("jobs", sa.Column("sweep", sa.Text))
    op.create_index("jobs_by_sweep", "jobs", ["sweep"])
