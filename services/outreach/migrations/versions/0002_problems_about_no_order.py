"""Problems about no order, and without a promised date.

Only takes `NOT NULL` away, which needs no look at any row: PostgreSQL changes its catalogue, in
milliseconds.  Each statement is its own transaction, so that no two tables are ever locked at once (a
replica at work takes them in another order: that would be a deadlock), and gives up after five seconds
behind somebody's long transaction instead of making every replica wait behind it.  Whatever was done by
then stays done, and running it again does the rest.

Old replicas go on beside this schema, and beside new ones.  They write no nulls.  Of rows with nulls they
read only those they ask for by a step they know, and their two playbooks are about deliveries, which
always name an order and a date; the steps of other playbooks they leave alone until the use-by.  An old
replica that is started again refuses, and says what to run, as after any migration.  Before new kinds of
problems are published every replica has to be new: an old one cannot read them and would put them aside.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MAY_BE_UNKNOWN = (
    ("problems", "order_id", sa.Text()),
    ("problems", "promised_by", sa.DateTime(timezone=True)),
    ("decisions", "order_id", sa.Text()),
    ("sends", "order_id", sa.Text()),
)


def upgrade() -> None:
    _alter(nullable=True)


def downgrade() -> None:
    # Refused by PostgreSQL while a row about no order is there: nothing is made up for it.
    _alter(nullable=False)


def _alter(*, nullable: bool) -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        for table, column, type_ in _MAY_BE_UNKNOWN:
            op.alter_column(table, column, existing_type=type_, nullable=nullable)
        op.execute("SET lock_timeout = DEFAULT")
