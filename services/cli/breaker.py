"""`care breaker`: playbooks that wanted to write more than is usual, and wait for a person."""

import json

import click
from rich.console import Console
from rich.table import Table

from services.cli import on_database, options
from services.kit.clock import SystemClock
from services.outreach import breaker as volume
from services.outreach.breaker import NothingWaits, Trip

_APPLICATION = "care-breaker"


@click.group()
def breaker() -> None:
    """See what the volume breaker holds, and let it out or not.

    More contacts than is usual may be somebody's mistake, so all of a playbook's wait for a person.

    \b
    Examples:
      care breaker list
      care breaker approve delivery_late --contacts 500
      care breaker reject delivery_late
    """


@breaker.command(name="list")
@on_database.database_url
@options.as_json
def list_(database_url: str, as_json: bool) -> None:
    """Show the playbooks that wait.

    \b
    Example:
      care breaker list --json
    """
    with on_database.connected(database_url, _APPLICATION) as connection:
        waiting = volume.trips(connection)
    if as_json:
        click.echo(json.dumps([_as_object(trip) for trip in waiting]))
    elif waiting:
        Console().print(_table(waiting))
    else:
        click.echo("no playbook waits")


@breaker.command()
@click.argument("playbook")
@click.option(
    "--contacts", type=click.IntRange(min=1), required=True, help="How many more may go out."
)
@on_database.by
@on_database.database_url
def approve(playbook: str, contacts: int, by: str, database_url: str) -> None:
    """Let so many more contacts of PLAYBOOK out within the next 24 hours.

    \b
    Example:
      care breaker approve delivery_late --contacts 500
    """
    _resolve(playbook, contacts, by, database_url)
    click.echo(f"{playbook}: {contacts} more may go out; each is asked again within the hour")


@breaker.command()
@click.argument("playbook")
@on_database.by
@on_database.database_url
def reject(playbook: str, by: str, database_url: str) -> None:
    """Let none of the contacts of PLAYBOOK out that are due by now.

    \b
    Example:
      care breaker reject delivery_late
    """
    _resolve(playbook, 0, by, database_url)
    click.echo(f"{playbook}: nothing that is due by now goes out; what comes later is decided anew")


def _resolve(playbook: str, contacts: int, by: str, database_url: str) -> None:
    with on_database.connected(database_url, _APPLICATION) as connection:
        try:
            volume.resolve(connection, playbook, contacts, by, SystemClock().now())
        except NothingWaits:
            waiting = ", ".join(trip.playbook for trip in volume.trips(connection)) or "none does"
            raise click.UsageError(
                f"{playbook} does not wait for anybody; waiting: {waiting}"
            ) from None


def _as_object(trip: Trip) -> dict[str, object]:
    return {
        "playbook": trip.playbook,
        "tripped_at": trip.tripped_at.isoformat(),
        "decided": trip.decided,
        "allowance": trip.allowance,
    }


def _table(waiting: list[Trip]) -> Table:
    table = Table("playbook", "since", "written in 24 h", "allowed")
    for trip in waiting:
        since = trip.tripped_at.isoformat(timespec="minutes")
        table.add_row(trip.playbook, since, str(trip.decided), str(trip.allowance))
    return table
