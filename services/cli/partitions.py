"""`care partitions`: more partitions for a deployment that has begun."""

import json
from contextlib import closing
from typing import Any

import click
from confluent_kafka import KafkaException
from kafka.errors import KafkaError
from rich.console import Console

from services.churn_predictor.relocation import DamagedEntry, Layout, UnknownEntry
from services.cli import on_database, options
from services.cli.moving import Move, Moved, Place
from services.cli.progress import telling
from services.kit.changelog import Truncated
from services.kit.exits import Unavailable
from services.kit.plurals import counted
from services.outreach.database import open_engine, reaching
from services.outreach.migrate import check

EXIT_FOUND = 1
_APPLICATION = "care-partitions"
_AGAIN = "run the same command again, and until it has ended with 0 start no service"
_AGAIN_TO_LOOK = "run the same command again; it only looked"


@click.group()
def partitions() -> None:
    """Give a deployment more partitions.

    \b
    Example:
      care partitions move --from 12 --to 24 --dry-run
    """


@partitions.command()
@click.option(
    "--from", "before", type=click.IntRange(min=1), required=True, help="How many there are."
)
@click.option(
    "--to",
    "after",
    type=click.IntRange(min=2),
    required=True,
    help="How many there are to be: a multiple.",
)
@options.bootstrap
@options.prefix
@on_database.database_url
@click.option("--dry-run", is_flag=True, help="Say what is to be moved, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.as_json
@click.pass_context
def move(ctx: click.Context, /, before: int, after: int, **choice: Any) -> None:
    """Move a deployment that stands still to more partitions, and check it.

    Every topic is given more partitions.  The predictor's state, what outreach remembers and the latest
    values on compacted topics are brought to where their customers belong from now on; events stay where
    they lie, and all counts go on.  Before it: ingest paused, publishers beside it stopped, everything read,
    and churn_predictor, outreach and metrics stopped.  After it they are started with the new number.

    It may be interrupted at any moment and run again: it goes on where it was, and no service starts
    meanwhile.  There is no way back.

    \b
    Exit codes: 0 done and checked, 1 a check failed, 2 wrong usage, 75 Kafka, a topic or the database is
    not there, a service still runs, one has not read everything, or something cannot be read.

    \b
    Examples:
      care partitions move --from 12 --to 24 --dry-run
      care partitions move --from 12 --to 24 --yes --json | jq .digest
    """
    if after <= before or after % before:
        raise click.UsageError(
            f"--to {after} is no multiple of --from {before}: with {2 * before}, what is in one partition "
            "goes to two, and no two stories are mixed"
        )
    is_asked = not (choice["dry_run"] or choice["yes"])
    if is_asked:
        click.confirm(f"Move to {after} partitions?  There is no way back.", abort=True, err=True)
    found = _moved(Layout(before, after), choice)
    _show(found, dry_run=choice["dry_run"], as_json=choice["as_json"])
    ctx.exit(EXIT_FOUND if found.wrong else 0)


def _moved(layout: Layout, choice: dict[str, Any]) -> Moved:
    place = Place(choice["bootstrap"], choice["prefix"])
    engine = open_engine(choice["database_url"], _APPLICATION)
    try:
        check(engine)
        with (
            reaching(engine),
            telling(Console(stderr=True)) as tell,
            closing(Move(place, engine, layout, tell)) as one,
        ):
            return one.plan() if choice["dry_run"] else one.run()
    except UnknownEntry as error:
        raise Unavailable(
            f"the state holds {error}, which this version does not know: use the version that wrote it"
        ) from None
    except DamagedEntry as error:
        raise Unavailable(
            f"the state is damaged: {error} can be read by no version.  Change nothing on these topics, and "
            "start no service"
        ) from None
    except (KafkaException, KafkaError, Truncated, TimeoutError) as error:
        raise Unavailable(
            f"Kafka did not do what was asked of it ({type(error).__name__}: {error}): nothing is lost; "
            f"{_AGAIN_TO_LOOK if choice['dry_run'] else _AGAIN}"
        ) from error
    finally:
        engine.dispose()


def _show(found: Moved, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, **found.as_object()}))
        return
    what = "customers to move" if dry_run else "rows moved"
    rows = [f"  {count:>9,}  {what} in {table}" for table, count in found.rows.items()]
    for line in rows if found.was_over else _lines(found, rows, dry_run=dry_run):
        click.echo(line)
    click.echo(_ending(found, dry_run=dry_run))


def _lines(found: Moved, rows: list[str], *, dry_run: bool) -> list[str]:
    entries = f"{found.entries:,} customers and histories {'to move' if dry_run else 'moved'}"
    lines = [
        f"{counted(found.customers, 'customer')}, state {found.digest}",
        f"{entries}, {counted(found.letters, 'letter')} between partitions",
        *rows,
    ]
    if not dry_run:
        lines.append(f"{counted(found.latest, 'latest value')} on compacted topics moved")
    lines += [
        f"{counted(count, 'record')} came on {topic} during the move, and was written once more"
        for topic, count in found.late.items()
    ]
    return lines


def _ending(found: Moved, *, dry_run: bool) -> str:
    if found.wrong:
        return "\n".join(found.wrong)
    if dry_run:
        return "nothing was changed"
    if found.was_over:
        return (
            "the state was moved before, and this database alone was looked at: start outreach with "
            f"CARE_PARTITIONS={found.after}, and reconcile"
        )
    return f"checked: start every service with CARE_PARTITIONS={found.after}"
