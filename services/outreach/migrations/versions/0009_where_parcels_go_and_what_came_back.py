"""Where the parcel of a problem goes, and which mails came back.

Only adds columns that may be null, and a table: PostgreSQL changes its catalogue, in milliseconds, or gives
up after five seconds behind somebody's long transaction; running it again does the rest.  Old replicas go
on beside this schema; they write to addresses at which nobody is reached.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ZONE = ("destination_zone", "destination_stated_at")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        zone = sa.Column("destination_zone", sa.Text())
        stated_at = sa.Column("destination_stated_at", sa.DateTime(timezone=True))
        for column in (zone, stated_at):
            op.add_column("problems", column, if_not_exists=True)
        op.create_table(
            "bounces",
            sa.Column("step_id", sa.Uuid(), sa.ForeignKey("sends.step_id"), primary_key=True),
            sa.Column("kind", sa.Text(), primary_key=True),
            sa.Column("customer_id", sa.Text(), nullable=False),
            sa.Column("status", sa.Text(), nullable=False),
            sa.Column(
                "sent_at",
                _MOMENT,
                nullable=False,
                comment="When the mail was begun that came back",
            ),
            sa.Column("noted_at", _MOMENT, nullable=False),
            comment="Mails that came back undelivered; the first of each kind is kept",
            if_not_exists=True,
        )
        op.create_index("ix_bounces_customer_id", "bounces", ["customer_id"], if_not_exists=True)
        op.execute("SET lock_timeout = DEFAULT")


def downgrade() -> None:
    op.drop_table("bounces")
    for name in _ZONE:
        op.drop_column("problems", name)
