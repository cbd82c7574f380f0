"""Jobs say where they may run and how many GPUs they ask for, and which GPUs they were given."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN servers TEXT NOT NULL DEFAULT '[]'")
    op.execute("ALTER TABLE jobs ADD COLUMN gpus INTEGER")
    op.execute("ALTER TABLE jobs ADD COLUMN gpu_memory_gib REAL")
    for column in ("assigned", "limits", "put_first", "override"):
        op.execute(f"ALTER TABLE jobs ADD COLUMN {column} TEXT")
