"""Where customers are reached beside mail: phone, and what push and chat providers call them.

Only adds columns that may be null, which needs no look at any row: PostgreSQL changes its catalogue, in
milliseconds, or gives up after five seconds behind somebody's long transaction; running it again does
the rest.

Old replicas go on beside this schema.  Before profiles with these fields are published every replica has
to be new: an old one cannot read them and would put them aside.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = ("phone", "push_id", "chat_id")


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '5s'")
        for column in _COLUMNS:
            op.add_column("profiles", sa.Column(column, sa.Text()), if_not_exists=True)
        op.execute("SET lock_timeout = DEFAULT")


def downgrade() -> None:
    for column in _COLUMNS:
        op.drop_column("profiles", column)
