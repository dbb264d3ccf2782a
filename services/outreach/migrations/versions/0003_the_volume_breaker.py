"""When a playbook wanted to write more than is usual, and what a person said to it.

Only adds: a table that no old replica knows, and an index, during whose building nobody decides: some
seconds with millions of decisions.  Running it again does the rest.  Old replicas go on; they count
nothing, so until every replica is new the breaker sees what they decide, and does not stop them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "breaker_trips",
        sa.Column("playbook", sa.Text(), primary_key=True),
        sa.Column("tripped_at", moment, primary_key=True),
        sa.Column("decided", sa.Integer(), nullable=False),
        sa.Column("allowance", sa.Integer(), nullable=False),
        sa.Column(
            "resolved_at", moment, comment="Null: the playbook waits for somebody to look at it"
        ),
        sa.Column("resolved_by", sa.Text()),
        sa.Column(
            "approved",
            sa.Integer(),
            comment="How many more contacts; 0: none of those due by then",
        ),
        comment="When a playbook wanted to write more than is usual, and what a person said to it",
        if_not_exists=True,
    )
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        # Not concurrently: that waits for everybody's snapshot, also of those who wait to migrate.
        op.create_index(
            "decisions_by_playbook",
            "decisions",
            ["playbook", "decided_at"],
            postgresql_where=sa.text("outcome = 'contact'"),
            if_not_exists=True,
        )
        op.execute("SET lock_timeout = DEFAULT")


def downgrade() -> None:
    op.drop_index("decisions_by_playbook", "decisions")
    op.drop_table("breaker_trips")
