"""In which trace each step and send is.

Four columns that may be null, which needs no look at any row.  Old replicas go on beside this schema: what
they write is in the trace that is derived from its problem.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLES = ("agenda", "sends")
_COLUMNS = ("traceparent", "tracestate")


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        for table in _TABLES:
            for name in _COLUMNS:
                op.add_column(table, sa.Column(name, sa.Text()), if_not_exists=True)
        op.execute("SET lock_timeout = DEFAULT")


def downgrade() -> None:
    for table in _TABLES:
        for name in _COLUMNS[::-1]:
            op.drop_column(table, name)
