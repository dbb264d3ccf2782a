"""What customers say on their pages: surveys of ours, and words about a message.

Two tables that nobody had before, so nothing is locked that a replica at work uses, and an old replica
does not miss them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "surveys",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("survey_id", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("step_id", sa.Uuid(), nullable=True),
        sa.Column(
            "sent_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Null: answered before anybody noted that it left",
        ),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "first_score",
            sa.SmallInteger(),
            nullable=True,
            comment="The answer that counts, and is published",
        ),
        sa.Column("latest_score", sa.SmallInteger(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "comment",
            sa.Text(),
            nullable=True,
            comment="The customer's own words: never published, never logged",
        ),
        sa.PrimaryKeyConstraint("customer_id", "survey_id"),
        comment="Our own surveys, and what was answered on their page",
    )
    op.create_table(
        "feedback",
        sa.Column("step_id", sa.Uuid(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("step_id", "verdict"),
        comment="What customers say of the message of a step; the first of each verdict is kept",
    )
    op.create_index(op.f("ix_feedback_customer_id"), "feedback", ["customer_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_feedback_customer_id"), table_name="feedback")
    op.drop_table("feedback")
    op.drop_table("surveys")
