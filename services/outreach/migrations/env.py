"""What Alembic runs: on the connection it is given, which holds the migration lock."""

from alembic import context

from services.outreach.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # A revision may commit on its way; then those before it must be done and noted.
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
