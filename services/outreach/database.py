"""One engine per process, with the settings this service relies on."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from services.kit.exits import Unavailable

_DRIVER = "postgresql+psycopg"

POOLED_CONNECTIONS = 5
MOST_CONNECTIONS = 15
"""Of one pool: more than are kept open are opened while they are needed."""

_CONNECTION_STATES = ("08", "57P0")
"""SQLSTATEs of connections: refused, lost, or ended because the server goes or comes."""

_LONGEST_PAUSE_SECONDS = 20
"""A replica that freezes in the middle of a transaction must not hold others up for longer."""


def url_of(database_url: str) -> URL:
    """Return the URL with this project's driver; plain `postgresql://` is welcome.

    Raises:
        Unavailable: not a PostgreSQL URL.
    """
    try:
        url = make_url(database_url)
    except ArgumentError:
        raise Unavailable(
            "DATABASE_URL is not a URL: postgresql://user:password@host:port/name"
        ) from None
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise Unavailable(
            "DATABASE_URL must name PostgreSQL: postgresql://user:password@host:port/name"
        )
    return url.set(drivername=_DRIVER)


def open_engine(database_url: str, application: str = "care-outreach") -> Engine:
    """Return an engine; nothing connects yet."""
    return create_engine(
        url_of(database_url),
        pool_size=POOLED_CONNECTIONS,
        max_overflow=MOST_CONNECTIONS - POOLED_CONNECTIONS,
        # Whatever the server's default is: who waited for a lock must see what was committed meanwhile.
        isolation_level="READ COMMITTED",
        # What a statement carries may be somebody's name or address, and errors are printed.
        hide_parameters=True,
        connect_args={
            "connect_timeout": 10,
            # A server in SQL_ASCII says nothing of its text, and the driver would hand out bytes.
            "client_encoding": "UTF8",
            "application_name": application,
            # In UTC, so that adding hours to a stored instant never meets a clock change.
            "options": "-c timezone=UTC "
            f"-c idle_in_transaction_session_timeout={_LONGEST_PAUSE_SECONDS}s",
        },
    )


class Refused(Exception):
    """PostgreSQL answered, and would not; the message holds the SQLSTATE and nothing stored."""


@contextmanager
def reaching(engine: Engine) -> Iterator[None]:
    """Turn a lost or refused connection into one line that says what to do; never the password.

    Raises:
        Unavailable: there is no connection, or it was lost.
        Refused: any other error of the database.  The driver's own words may repeat what a row
            holds, so they are left out.
    """
    try:
        yield
    except DBAPIError as error:
        if _is_about_the_connection(error):
            raise _unreachable(engine.url) from error
        name, state = type(error.orig).__name__, _sqlstate(error)
        refused = Refused(f"PostgreSQL refused a statement: {name}, SQLSTATE {state or 'none'}")
        raise refused.with_traceback(error.__traceback__) from None


def _is_about_the_connection(error: DBAPIError) -> bool:
    state = _sqlstate(error)
    if error.connection_invalidated:
        return True
    if state is None:
        return isinstance(error, OperationalError)
    return state.startswith(_CONNECTION_STATES)


def _sqlstate(error: DBAPIError) -> str | None:
    state: str | None = getattr(error.orig, "sqlstate", None)
    return state


def _unreachable(url: URL) -> Unavailable:
    if service := url.query.get("service"):
        return Unavailable(
            f"PostgreSQL does not answer where the service file says for {service}: start it, or put "
            "host, port and dbname right in the file that PGSERVICEFILE names"
        )
    return Unavailable(
        f"PostgreSQL does not answer at {url.host}:{url.port or 5432} for database {url.database}: "
        "start it, or set DATABASE_URL to where it runs"
    )
