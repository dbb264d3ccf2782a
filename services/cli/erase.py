"""`care erase`: one customer is forgotten everywhere, and what is left of it is said store by store."""

import json
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from services.cli import on_database, options
from services.cli.customer import Customer
from services.cli.deployment import Place
from services.cli.erasing import Report, ask, report_of, take_profiles
from services.cli.person_topics import Topics
from services.kit.clock import SystemClock, monotonic
from services.kit.settings import ClockSource

_APPLICATION = "care-erase"
_LOOK_SECONDS = 1.0
EXIT_PENDING = 1


@dataclass(frozen=True, slots=True)
class Where:
    """The stores of one deployment."""

    topics: Topics
    database_url: str
    clock: str

    def now(self) -> datetime:
        """Return the deployment's time: outreach forgets nothing that is dated in its future."""
        topics = self.topics
        if self.clock == ClockSource.SYSTEM.value:
            return SystemClock().now()
        place = Place(topics.bootstrap, topics.prefix, topics.partitions)
        return place.latest_tick() or SystemClock().now()

    def report(self, customer: str) -> Report:
        """Return what is left of a customer, store by store."""
        connect = partial(on_database.connected, self.database_url, _APPLICATION)
        return report_of(connect, self.topics, customer)


@click.command()
@click.argument("customer", type=Customer())
@on_database.by
@click.option("--status", is_flag=True, help="Ask for nothing; only say what is left.")
@click.option("--no-wait", is_flag=True, help="Ask, say what is left at this moment, and end.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Wait no longer for what is pending.",
)
@on_database.database_url
@options.bootstrap
@options.partitions
@options.prefix
@options.clock
@options.as_json
@click.pass_context
def erase(
    ctx: click.Context,
    /,
    customer: str,
    by: str,
    status: bool,
    no_wait: bool,
    timeout: float,
    as_json: bool,
    **place: Any,
) -> None:
    """Forget CUSTOMER, under every id that is one with this.

    Says so on `identities`, so that every service forgets, and takes the profile off `customers`.  Messages
    that wait are withdrawn.  Who is erased already is not asked for again; a customer who comes later under
    the same id is a new one.

    \b
    Exit codes: 0 all is gone or ages out by the date said, 1 something is pending, 2 wrong usage,
    75 Kafka, a topic or the database is not there.

    \b
    Examples:
      care erase c-48213 --by ada
      care erase c-48213 --status
      care erase c-48213 --by ada --no-wait --json | jq '.stores[] | select(.state == "pending")'
    """
    topics = Topics(place["bootstrap"], place["prefix"], place["partitions"])
    where = Where(topics, place["database_url"], place["clock"])
    found = where.report(customer)
    if not status:
        if found.is_to_be_asked:
            ask(topics, found.names, by, where.now())
            found = where.report(customer)
        found = _finish(where, customer, found, 0.0 if no_wait else timeout)
    _show(found, as_json)
    ctx.exit(0 if found.is_over else EXIT_PENDING)


def _finish(where: Where, customer: str, found: Report, timeout: float) -> Report:
    """Take the profile away as soon as outreach has learned from it whom never to write to again."""
    until = monotonic() + timeout
    is_taken = False
    while not found.is_over:
        if not is_taken and (found.is_heard or timeout == 0.0):
            take_profiles(where.topics, found.names)
            is_taken = True
        elif monotonic() >= until:
            return found
        else:
            click.echo(f"waiting for: {', '.join(found.pending)}", err=True)
            time.sleep(_LOOK_SECONDS)
        found = where.report(customer)
    return found


def _show(found: Report, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(found), default=_plain))
        return
    table = Table("store", "state", "left", "what it means")
    for store in found.stores:
        table.add_row(store.name, store.state.value, str(store.left), store.words)
    Console().print(table)
    click.echo(f"names: {', '.join(found.names)}")


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
