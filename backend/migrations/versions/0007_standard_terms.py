"""Standard terms: requested by, submitted at, incidents, notifications."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    for table, old, new in (
        ("jobs", "asked_by", "requested_by"),
        ("jobs", "asked_at", "submitted_at"),
        ("results", "asked_by", "requested_by"),
        ("sweeps", "asked_at", "submitted_at"),
    ):
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    for old, new in (("asked_by", "requested_by"), ("asked_at", "submitted_at")):
        op.execute(
            f"""UPDATE sweeps SET content = replace(content, '"{old}":', '"{new}":')"""  # noqa: S608
        )
    for old, new in (
        ("troubles", "incidents"),
        ("notices", "notifications"),
        ("notice_addresses", "notification_addresses"),
    ):
        op.rename_table(old, new)
