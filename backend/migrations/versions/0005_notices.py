"""What people were told, and what they are still to be told."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "told",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("at", sa.Integer, nullable=False),
    )
    op.create_table(
        "notices",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sqlite_autoincrement=True,  # a number is never used twice: addresses remember the last one they took
    )
    op.create_table(
        "notice_addresses",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("taken", sa.Integer, nullable=False),
    )
