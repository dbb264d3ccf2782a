"""Where the parcel of a problem goes.

Only adds columns that may be null, which needs no look at any row: PostgreSQL changes its catalogue, in
milliseconds, or gives up after five seconds behind somebody's long transaction; running it again does
the rest.  Old replicas go on beside this schema.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS = ("destination_zone", "destination_stated_at")


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        zone = sa.Column("destination_zone", sa.Text())
        stated_at = sa.Column("destination_stated_at", sa.DateTime(timezone=True))
        for column in (zone, stated_at):
            op.add_column("problems", column, if_not_exists=True)
        op.execute("SET lock_timeout = DEFAULT")


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("problems", name)
