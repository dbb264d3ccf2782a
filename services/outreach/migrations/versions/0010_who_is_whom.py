"""Customers that are one, customers that are forgotten, and what keeps them so.

Three tables that nobody had before, and two columns that may be null, which needs no look at any row.  Old
replicas go on beside this schema.  They do not read `identities`, so while both are at work partitions are
shared out unevenly and some wait for the renewal to end: see docs/identity-and-privacy.md.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "merges",
        sa.Column("goes", sa.Text(), nullable=False),
        sa.Column("stays", sa.Text(), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("goes", "stays"),
        comment="What was said of two ids that are one customer",
        if_not_exists=True,
    )
    op.create_index(op.f("ix_merges_stays"), "merges", ["stays"], unique=False, if_not_exists=True)
    op.create_table(
        "aliases",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("survivor", sa.Text(), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer_id"),
        comment="What follows from all merges: other names of customers, each with the one that stays",
        if_not_exists=True,
    )
    op.create_index(
        op.f("ix_aliases_survivor"), "aliases", ["survivor"], unique=False, if_not_exists=True
    )
    op.create_table(
        "suppressions",
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="customer, or the channel of an address",
        ),
        sa.Column(
            "hash", sa.Text(), nullable=False, comment="Keyed, so that nobody finds it by trying"
        ),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "hash"),
        comment="Who was erased, so that nothing older comes back and nobody writes to them",
        if_not_exists=True,
    )
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        op.add_column(
            "profiles",
            sa.Column(
                "suppressed_since",
                sa.DateTime(timezone=True),
                comment="When whoever has an address of these was erased",
            ),
            if_not_exists=True,
        )
        op.add_column(
            "profiles",
            sa.Column(
                "address_hashes",
                postgresql.ARRAY(sa.Text()),
                comment="Keyed hashes of what a tombstone took away",
            ),
            if_not_exists=True,
        )
        op.execute("SET lock_timeout = DEFAULT")


def downgrade() -> None:
    op.drop_column("profiles", "address_hashes")
    op.drop_column("profiles", "suppressed_since")
    op.drop_table("suppressions")
    op.drop_table("aliases")
    op.drop_table("merges")
