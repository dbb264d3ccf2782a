"""What a move to more partitions began with, so that each later run of it is held against that.

A new table, which no replica of a version before looks at.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "partition_moves",
        sa.Column("before", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("after", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.Text(), nullable=False, comment="Of the predictor's state"),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), comment="Null: not known to be over"),
        comment="When this deployment was given more partitions, and what there was by then",
        if_not_exists=True,
    )


def downgrade() -> None:
    op.drop_table("partition_moves")
