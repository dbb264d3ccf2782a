"""`care db`: the schema of outreach's database."""

import json

import click

from services.cli import options
from services.outreach.migrate import upgrade as upgrade_database


@click.group()
def db() -> None:
    """Bring the database to this version's schema.

    \b
    Example:
      care db upgrade
    """


@db.command()
@click.option(
    "--database-url",
    envvar="DATABASE_URL",
    required=True,
    metavar="URL",
    show_envvar=True,
    help="PostgreSQL's address: postgresql://user:password@host:port/database.",
)
@options.as_json
def upgrade(database_url: str, as_json: bool) -> None:
    """Apply the migrations that are missing; several at once wait for each other.

    \b
    Example:
      DATABASE_URL=postgresql://care:secret@db:5432/care care db upgrade
    """
    applied = upgrade_database(database_url)
    if as_json:
        click.echo(json.dumps({"applied": applied}))
    elif applied:
        click.echo(f"applied {', '.join(applied)}")
    else:
        click.echo("nothing to apply: the schema is this version's")
