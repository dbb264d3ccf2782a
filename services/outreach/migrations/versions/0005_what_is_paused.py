"""What a person has paused, and who let it go on.

Only adds a table that nobody had before, so nothing is locked that a replica at work uses.  Old replicas
go on, and know no pauses: until every replica is new, what is paused is held by the new ones alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "pauses",
        sa.Column("pause_id", sa.Uuid(), primary_key=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column(
            "name", sa.Text(), comment="Of the playbook or the channel; null where all are meant"
        ),
        sa.Column("since", moment, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("resumed_at", moment, comment="Null: it is in force"),
        sa.Column("resumed_by", sa.Text()),
        sa.CheckConstraint(
            "scope IN ('all', 'playbook', 'channel') AND (scope = 'all') = (name IS NULL)",
            name="pauses_target",
        ),
        sa.CheckConstraint(
            "(resumed_at IS NULL) = (resumed_by IS NULL)", name="pauses_resumed_by_somebody"
        ),
        comment="Append-only: what a person has paused, and who let it go on",
    )
    op.create_index(
        "pauses_open",
        "pauses",
        ["scope", sa.text("coalesce(name, '')")],
        unique=True,
        postgresql_where=sa.text("resumed_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("pauses_open", "pauses")
    op.drop_table("pauses")
