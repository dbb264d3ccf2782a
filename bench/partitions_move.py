"""How long a move to more partitions takes for so many customers: the state, and outreach's rows.

    python -m bench.partitions_move --customers 100000

Fills a deployment of its own on the broker and the database of the environment with customers of two
kilobytes each, a profile and a settled step, and moves it.  Only the move is timed: that is the pause, beside
stopping and starting the services.
"""

import json
import resource
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import click
from sqlalchemy import Engine, insert, text

from services.churn_predictor.relocation import Layout
from services.churn_predictor.state import PARTITION, PartitionState, partition_key
from services.cli import on_database, options
from services.cli.moving import Move, Place
from services.contracts import topics as t
from services.contracts.access import PREDICTOR_GROUP
from services.contracts.ids import derive
from services.kit.clock import monotonic
from services.kit.kafka_admin import apply_topics, check_topics, delete_topics
from services.kit.kafka_clients import close_producer, open_producer, partition_of
from services.kit.transactions import TransactionalWriter
from services.outreach import migrate, positions
from services.outreach.batch import SOURCES
from services.outreach.database import open_engine
from services.outreach.tables import AGENDA, PROBLEMS

AT = datetime(2026, 1, 1, tzinfo=UTC)
BYTES_EACH = 2_000
_AT_ONCE = 5_000
PROBLEM = {
    "problem_id": UUID(int=1),
    "customer_id": "c-00000000",
    "kind": "delivery_delay",
    "subject": "sh-1",
    "opened_at": AT,
    "tier": "late",
    "stated_at": AT,
    "actor": "us",
}
"""The one problem that every step is about: problems know no partition."""


def customers(count: int) -> Iterator[str]:
    """Yield so many ids."""
    return (f"c-{number:08}" for number in range(count))


def fill_state(place: Place, count: int, partitions: int) -> None:
    """Write the state of so many customers as predictors would have."""
    name = t.FACTS_CHANGELOG.physical(place.prefix)
    writers = [
        TransactionalWriter(place.bootstrap, f"{place.prefix}{PREDICTOR_GROUP}-{n}")
        for n in range(partitions)
    ]
    value = json.dumps({"told": {"padding": ["x" * BYTES_EACH]}}).encode()
    for number, customer in enumerate(customers(count)):
        home = partition_of(customer.encode(), partitions)
        writers[home].write(name, home, customer.encode(), value)
        if number % (_AT_ONCE * partitions) == 0:
            for writer in writers:
                writer.commit()
    for number, writer in enumerate(writers):
        state = PARTITION.dump_json(PartitionState(since=AT, number=1, at=AT))
        writer.write(name, number, partition_key(number), state)
        writer.commit()


def fill_profiles(place: Place, count: int) -> None:
    """Write a profile of everybody."""
    producer = open_producer(place.bootstrap)
    for customer in customers(count):
        value = b'{"name": "' + b"x" * 200 + b'"}'
        producer.send(t.CUSTOMERS.physical(place.prefix), value, key=customer.encode())
    close_producer(producer, 120)


def fill_database(engine: Engine, place: Place, count: int, partitions: int) -> None:
    """Write a settled step of everybody, and that outreach has read everything."""
    found = check_topics(
        place.bootstrap, SOURCES.values(), partitions=partitions, prefix=place.prefix
    )
    positions.check_topic_ids(engine, found)
    rows = [
        {
            "step_id": derive("bench", customer),
            "customer_id": customer,
            "partition": partition_of(customer.encode(), partitions),
            "problem_id": PROBLEM["problem_id"],
            "playbook": "delivery_late",
            "step": "notice",
            "triggered_at": AT,
        }
        for customer in customers(count)
    ]
    with engine.begin() as connection:
        connection.execute(text("UPDATE source_positions SET next_offset = 1000000000"))
        connection.execute(insert(PROBLEMS), [PROBLEM])
        for start in range(0, count, _AT_ONCE):
            connection.execute(insert(AGENDA), rows[start : start + _AT_ONCE])


@click.command()
@options.bootstrap
@on_database.database_url
@click.option(
    "--customers", "count", type=click.IntRange(min=1), default=100_000, show_default=True
)
@click.option("--from", "before", type=click.IntRange(min=1), default=12, show_default=True)
@click.option("--to", "after", type=click.IntRange(min=2), default=24, show_default=True)
def main(bootstrap: str, database_url: str, count: int, before: int, after: int) -> None:
    """Fill, move, and say how long it took.  The database must be an empty one of its own."""
    place = Place(bootstrap, f"bench-{secrets.token_hex(3)}-")
    migrate.upgrade(database_url)
    engine = open_engine(database_url)
    apply_topics(bootstrap, partitions=before, prefix=place.prefix)
    try:
        fill_state(place, count, before)
        fill_profiles(place, count)
        fill_database(engine, place, count, before)
        began = monotonic()
        move = Move(place, engine, Layout(before, after), lambda _: None)
        found = move.run()
        move.close()
        took = monotonic() - began
    finally:
        delete_topics(bootstrap, [topic.physical(place.prefix) for topic in t.TOPICS])
        engine.dispose()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    click.echo(
        f"{found.customers:,} customers, {found.entries:,} of them moved, {found.latest:,} profiles, "
        f"{sum(found.rows.values()):,} rows: {took:.1f} s, {count / took:,.0f} customers/s, "
        f"{memory:.0f} MiB at the most (filling included); wrong: {found.wrong or 'nothing'}"
    )


if __name__ == "__main__":
    main()
