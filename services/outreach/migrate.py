"""Brings the database to this version's schema, one at a time however many try."""

import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from services.kit import logs
from services.kit.exits import Unavailable
from services.outreach.database import open_engine, reaching

_log = logs.get(__name__)
_LOCK = 0x6F757472  # any number, as long as every version of this service uses the same
_TURN_SECONDS = 0.1
_FOLDER = Path(__file__).parent / "migrations"


def upgrade(database_url: str) -> list[str]:
    """Apply what is missing and return those revisions, oldest first; of a newer schema nothing is missing.

    Raises:
        Unavailable: the database does not answer, or cannot hold every name and word.
    """
    engine = open_engine(database_url, "care-migrate")
    try:
        with reaching(engine), engine.connect() as connection:
            _refuse_another_encoding(connection)
            _wait_for_turn(connection)
            try:
                return _upgrade(connection)
            finally:
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
                connection.commit()
    finally:
        engine.dispose()


def check(engine: Engine) -> None:
    """Return where the schema is this version's, or a newer one: migrations add, and old replicas work on.

    Raises:
        Unavailable: the database does not answer, or has an older schema.
    """
    head = _scripts().get_current_head()
    with reaching(engine), engine.connect() as connection:
        current = _revision(connection)
    if _is_newer(current):
        _log.warning("schema_newer", found=current, known=head)
    elif current != head:
        raise Unavailable(
            f"the database schema is at {current or 'nothing'} and this service needs {head}: "
            "run `care db upgrade`"
        )


def _refuse_another_encoding(connection: Connection) -> None:
    name, encoding = connection.execute(
        text("SELECT current_database(), current_setting('server_encoding')")
    ).one()
    if encoding != "UTF8":
        raise Unavailable(
            f"the database {name} is in {encoding}, and names and mails need UTF8: make one with "
            f"CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0, and set DATABASE_URL to it"
        )


def _wait_for_turn(connection: Connection) -> None:
    """Return once nobody else migrates.

    Asks again and again: whoever waits inside a statement holds up an index that is made concurrently by
    the one who is waited for.
    """
    query = text("SELECT pg_try_advisory_lock(:key)")
    while not connection.execute(query, {"key": _LOCK}).scalar_one():
        connection.commit()
        time.sleep(_TURN_SECONDS)
    connection.commit()


def _upgrade(connection: Connection) -> list[str]:
    before = _revision(connection)
    if _is_newer(before):
        return []
    # Alembic begins and ends its own transactions, one for each revision.
    connection.commit()
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()
    scripts = _scripts().iterate_revisions("head", before or "base")
    return [script.revision for script in scripts][::-1]


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_newer(revision: str | None) -> bool:
    """Return whether a version after this one made the schema: ours are numbered, one after the other."""
    head = _scripts().get_current_head() or ""
    return revision is not None and revision.isdecimal() and int(revision) > int(head)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config
