"""What every operation stands on: the database, the rules of this deployment, and its clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, text

from services.kit.api_keys import Key
from services.outreach.api.actions import Actor
from services.outreach.knowledge import Rules

LOCK_SECONDS = 5
"""Longer than that nobody waits for a customer whom somebody else has locked."""

PAUSE_LOCK_SECONDS = 65
"""A replica that is frozen while it starts a send holds a pause up for 20 seconds; it must come through."""

_STATEMENT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Backend:
    """What an operation may use.  For many threads."""

    engine: Engine
    """On connections of its own: who looks delays nobody who sends."""
    rules: Rules
    now: Callable[[], datetime]
    """The deployment's clock; may raise `NoTimeYet`."""

    def actor(self, key: Key, by: str) -> Actor:
        """Return who acts now."""
        return Actor(key, by, self.now())

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection on which nothing changes and nothing can be changed."""
        with self.engine.connect() as plain:
            connection = plain.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            connection.execute(text(f"SET LOCAL statement_timeout = '{_STATEMENT_SECONDS}s'"))
            yield connection

    @contextmanager
    def writing(self, lock_seconds: int = LOCK_SECONDS) -> Iterator[Connection]:
        """Give a transaction, committed in the end."""
        with self.engine.begin() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = '{lock_seconds}s'"))
            yield connection
