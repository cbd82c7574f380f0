"""Jobs that were cancelled while their server did not answer are `cancelling` until they have ended."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute(
        """
        UPDATE jobs
        SET state = 'cancelling', ended_at = NULL,
            reason = substr(reason, 1, instr(reason, ', and ended as soon as it can be: ') - 1)
        WHERE state = 'cancelled' AND instr(reason, ', and ended as soon as it can be: ') > 0
        """
    )
