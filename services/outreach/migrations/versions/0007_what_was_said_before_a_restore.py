"""How far this database knows what lies on `outreach`, and when it was older than that.

Only adds tables that nobody had before, so nothing is locked that a replica at work uses.  The first
start afterwards reads `outreach` once from its beginning.  Old replicas go on, and call a channel before
the start is on the topic: until every replica is new, a restore may miss their last sends.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "said_positions",
        sa.Column("partition", sa.Integer(), primary_key=True),
        sa.Column("topic_id", sa.Uuid(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        comment="Up to where this database knows what lies on the topic outreach, by partition",
    )
    op.create_table(
        "reconciliations",
        sa.Column("reconciliation_id", sa.Uuid(), primary_key=True),
        sa.Column("needed_since", moment, nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("reconciled_at", moment, comment="Null: nothing is decided and nothing is sent"),
        sa.Column("reconciled_by", sa.Text()),
        sa.Column("found", JSONB(), comment="What the topic knew and this database did not"),
        sa.CheckConstraint(
            "(reconciled_at IS NULL) = (reconciled_by IS NULL)", name="reconciliations_by_somebody"
        ),
        comment="Append-only: when this database was older than what was said, and who brought it up",
    )
    op.create_index(
        "reconciliations_open",
        "reconciliations",
        [sa.text("(true)")],
        unique=True,
        postgresql_where=sa.text("reconciled_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("reconciliations_open", "reconciliations")
    op.drop_table("reconciliations")
    op.drop_table("said_positions")
