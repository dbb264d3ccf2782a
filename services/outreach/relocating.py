"""More partitions: what outreach remembers under its customers' old ones is put under the new ones.

All of it is one transaction, which ends with the positions of the new partitions: who finds none of them
knows that nothing was moved yet.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing

from sqlalchemy import Connection, Engine, Table, select, text
from sqlalchemy.dialects.postgresql import insert

from services.contracts.moved import is_moved
from services.contracts.topics import OUTREACH
from services.kit import logs
from services.kit.batches import batches
from services.kit.exits import Unavailable
from services.kit.kafka_clients import close_producer, open_producer, partition_of
from services.kit.progress import Tell
from services.outreach import outbox, positions, reconciliation
from services.outreach.batch import SOURCES
from services.outreach.comparison import ADVICE, Comparison, SaidTopic
from services.outreach.outbox import Publisher
from services.outreach.tables import AGENDA, DECISIONS, FEEDBACK, SENDS, SOURCE_POSITIONS, SURVEYS

PLACED: tuple[Table, ...] = (AGENDA, DECISIONS, SENDS, SURVEYS, FEEDBACK)
"""Tables whose rows belong to a customer and stand under the customer's partition."""

_AT_ONCE = 5_000
_APPLICATION = "care-partitions"


def unread(engine: Engine, topic: SaidTopic) -> Counter[str]:
    """Return topic → records that outreach has not applied; raises `Unavailable`."""
    with engine.connect() as connection:
        found = positions.standing(connection, SOURCES)
    counts: Counter[str] = Counter()
    with closing(topic.reader()) as reader:
        for name, source in SOURCES.items():
            since = {partition: at.get(name, 0) for partition, at in found.items()}
            records = (record for _, record in reader.records([source], since=since))
            # What a move that was interrupted has written says nothing new.
            counts[name] = sum(not is_moved(record.headers) for record in records)
    return +counts


def publish_rest(engine: Engine, topic: SaidTopic) -> int:
    """Publish what a replica that ended had committed and not published; return how many records.

    Raises:
        Unavailable: the database has to be reconciled first.
    """
    with engine.connect() as connection:
        if reconciliation.is_needed(connection):
            raise Unavailable(f"{OUTREACH.name} and the database tell different stories: {ADVICE}")
        waiting = outbox.waiting(connection)
    if waiting:
        producer = open_producer(topic.bootstrap)
        compare = Comparison(engine, topic, logs.get(_APPLICATION)).run
        try:
            Publisher(engine, producer, topic.prefix, compare).publish_now()
        except outbox.NotPublished as error:
            raise Unavailable(f"the outbox could not be published: {error}") from error
        finally:
            close_producer(producer)
    return waiting


def misplaced(connection: Connection, partitions: int) -> Counter[str]:
    """Return table → customers with rows under another partition than theirs."""
    return +Counter({table.name: len(_moves(connection, table, partitions)) for table in PLACED})


def relocate(engine: Engine, partitions: int, tell: Tell) -> Counter[str]:
    """Put every row under its customer's partition of so many; return table → rows.

    Raises:
        Unavailable: a replica still says something.
    """
    moved: Counter[str] = Counter()
    with engine.connect() as connection:
        # Computed outside of the transaction, which must not stand idle.
        moves = {table: _moves(connection, table, partitions) for table in PLACED}
    with engine.begin() as connection:
        _take_from_replicas(connection)
        for table, homes in moves.items():
            for some in batches(homes.items(), _AT_ONCE):
                moved[table.name] += _put(connection, table, some)
                tell(f"{table.name}: {moved[table.name]:,} rows moved")
        left = misplaced(connection, partitions)
        if left or outbox.waiting(connection):
            raise Unavailable("outreach wrote to its database meanwhile: stop every replica")
        _add_positions(connection, partitions)
    return +moved


def _moves(connection: Connection, table: Table, partitions: int) -> dict[str, int]:
    """Return the customers with rows under another partition than theirs, and theirs."""
    found = connection.execute(select(table.c.customer_id, table.c.partition).distinct())
    homes = ((c, p, partition_of(c.encode(), partitions)) for c, p in found)
    return {customer: home for customer, partition, home in homes if partition != home}


def _put(connection: Connection, table: Table, homes: Sequence[tuple[str, int]]) -> int:
    statement = text(
        f"UPDATE {table.name} AS p SET partition = v.home"  # noqa: S608 - one of `PLACED`
        " FROM unnest(CAST(:customers AS text[]), CAST(:homes AS int[])) AS v (customer, home)"
        " WHERE p.customer_id = v.customer AND p.partition <> v.home"
    )
    customers, places = [c for c, _ in homes], [home for _, home in homes]
    return connection.execute(statement, {"customers": customers, "homes": places}).rowcount


def _take_from_replicas(connection: Connection) -> None:
    """Make whatever a replica that is still there would commit fail."""
    connection.execute(text("UPDATE source_positions SET owner = NULL"))


def _add_positions(connection: Connection, partitions: int) -> None:
    known = select(SOURCE_POSITIONS.c.topic, SOURCE_POSITIONS.c.topic_id).distinct()
    rows = [
        {"topic": row.topic, "partition": p, "topic_id": row.topic_id, "next_offset": 0}
        for row in connection.execute(known)
        for p in range(partitions)
    ]
    if rows:
        connection.execute(insert(SOURCE_POSITIONS).on_conflict_do_nothing(), rows)
