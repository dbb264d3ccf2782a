"""What commands share that change outreach's database on a person's word."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Connection

from services.cli.options import Decorator
from services.outreach.database import open_engine, reaching
from services.outreach.migrate import check

database_url: Decorator = click.option(
    "--database-url",
    envvar="DATABASE_URL",
    required=True,
    metavar="URL",
    show_envvar=True,
    help="PostgreSQL's address: postgresql://user:password@host:port/database.",
)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise click.UsageError(
            "this machine does not know who you are: say it with --by NAME"
        ) from None


by: Decorator = click.option(
    "--by",
    default=_login,
    show_default="your login",
    help="Who says so; it is recorded.",
)


@contextmanager
def connected(url: str, application: str) -> Iterator[Connection]:
    """Give a connection to this version's schema, in one transaction.

    Raises:
        Unavailable: the database does not answer, or has another schema.
    """
    engine = open_engine(url, application)
    try:
        check(engine)
        with reaching(engine), engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
