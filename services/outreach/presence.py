"""A lock that this replica holds while it lives, so that others can tell a slow sender from a dead one."""

from uuid import UUID

from sqlalchemy import Engine, text

from services.outreach.ledger import presence_key


class Presence:
    """Holds a connection of its own; when the process ends, however it ends, the lock is free."""

    def __init__(self, engine: Engine, owner: UUID) -> None:
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._connection.execute(
            text("SELECT pg_advisory_lock(:key)"), {"key": presence_key(owner)}
        )

    def check(self) -> None:
        """Return while the lock is held; raises SQLAlchemy's error when the connection was lost."""
        self._connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Let go."""
        self._connection.invalidate()
        self._connection.close()
