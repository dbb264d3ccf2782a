"""What people did through the API, and quick ways to find what needs a person.

Adds a table that nobody had before, and two indexes, made while replicas go on reading and writing.  An
index that was given up half-way, behind somebody's long transaction, is made anew when this is run again.
Old replicas go on beside this schema.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INDEXES = (
    (
        "sends_for_a_person",
        "sends",
        ["problem_id"],
        "state IN ('unknown', 'failed') OR channel = 'human'",
    ),
    ("problems_open", "problems", ["problem_id"], "ended_at IS NULL"),
)


def upgrade() -> None:
    op.create_table(
        "actions",
        sa.Column("seq", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False, comment="Of the API key it was done with"),
        sa.Column("client", sa.Text(), nullable=False, comment="Whose key that is"),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column(
            "target",
            sa.Text(),
            nullable=False,
            comment="The step or the pause by its id, or the playbook by its name",
        ),
        sa.Column("detail", JSONB(), nullable=False),
        comment="Append-only: what a person did through the API",
        # The indexes below commit it: where one of them gives up, this is run again.
        if_not_exists=True,
    )
    op.create_index(
        "actions_settling",
        "actions",
        ["what", "target"],
        unique=True,
        postgresql_where=sa.text("what IN ('task_done', 'send_resolved')"),
        if_not_exists=True,
    )
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        for name, table, columns, where in _INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.create_index(
                name,
                table,
                columns,
                postgresql_where=sa.text(where),
                postgresql_concurrently=True,
            )
        op.execute("SET lock_timeout = DEFAULT")


def downgrade() -> None:
    for name, table, _, _ in _INDEXES:
        op.drop_index(name, table)
    op.drop_table("actions")
