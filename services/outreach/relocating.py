"""More partitions: what outreach remembers under its customers' old ones is put under the new ones.

All of it is one transaction, which ends with the positions of the new partitions: who finds none of them
knows that nothing was moved yet.  What the predictor's state was when the move began is kept here too, since
this is the one place that the move does not change before its end.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager

from sqlalchemy import ColumnElement, Connection, Engine, Table, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from services.contracts.events import TOPIC_OF
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
from services.outreach.tables import (
    AGENDA,
    DECISIONS,
    FEEDBACK,
    OUTBOX,
    PARTITION_MOVES,
    SENDS,
    SOURCE_POSITIONS,
    SURVEYS,
)

PLACED: tuple[Table, ...] = (AGENDA, DECISIONS, SENDS, SURVEYS, FEEDBACK)
"""Tables whose rows belong to a customer and stand under the customer's partition."""

_AT_ONCE = 5_000
_APPLICATION = "care-partitions"
_HOMES = """
CREATE TEMPORARY TABLE IF NOT EXISTS homes (customer text PRIMARY KEY, home int NOT NULL) ON COMMIT DROP
"""


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


def publish_rest(engine: Engine, topic: SaidTopic) -> None:
    """Publish what a replica that ended had committed and not published.

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


def note_beginning(engine: Engine, before: int, after: int, digest: str) -> None:
    """Keep what the state is with which this move begins; one that never began is forgotten."""
    values = {"digest": digest, "begun_at": func.now(), "ended_at": None}
    key = {"before": before, "after": after}
    with engine.begin() as connection:
        connection.execute(
            insert(PARTITION_MOVES)
            .values(**key, **values)
            .on_conflict_do_update(index_elements=list(key), set_=values)
        )


def beginning_of(engine: Engine, before: int, after: int) -> str | None:
    """Return the digest of the state with which this move began; None: this database knows of none."""
    with engine.connect() as connection:
        found: str | None = connection.execute(
            select(PARTITION_MOVES.c.digest).where(*_of(before, after))
        ).scalar_one_or_none()
    return found


def note_end(engine: Engine, before: int, after: int) -> None:
    """Keep that the move is over, and checked."""
    with engine.begin() as connection:
        connection.execute(
            update(PARTITION_MOVES).where(*_of(before, after)).values(ended_at=func.now())
        )


def _of(before: int, after: int) -> tuple[ColumnElement[bool], ...]:
    return PARTITION_MOVES.c.before == before, PARTITION_MOVES.c.after == after


def misplaced(engine: Engine, partitions: int) -> Counter[str]:
    """Return table → customers with rows under another partition than theirs."""
    with _at_length(engine) as connection:
        return _misplaced(connection, partitions)


def relocate(
    engine: Engine, partitions: int, tell: Tell, *, is_restored: bool = False
) -> Counter[str]:
    """Put every row under its customer's partition of so many; return table → rows.

    Args:
        engine: Of the database.
        partitions: How many there are from now on.
        tell: Told how far it is.
        is_restored: The database is older than a move that is over.  What it had committed and not yet
            published then goes where its customer is now; else there is nothing of the kind.

    Raises:
        Unavailable: a replica still says something.
    """
    moved: Counter[str] = Counter()
    with _at_length(engine) as connection:
        _take_from_replicas(connection)
        for table in PLACED:
            moved[table.name] = _put(connection, table, partitions)
            tell(f"{table.name}: {moved[table.name]:,} rows moved")
        if is_restored:
            moved[OUTBOX.name] = _readdress(connection, partitions)
        has_said_more = not is_restored and outbox.waiting(connection) > 0
        if has_said_more or _misplaced(connection, partitions):
            raise Unavailable("outreach wrote to its database meanwhile: stop every replica")
        _add_positions(connection, partitions)
    return +moved


@contextmanager
def _at_length(engine: Engine) -> Iterator[Connection]:
    """A transaction that may stand idle while we reckon: no replica is there to be held up by it."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield connection


def _misplaced(connection: Connection, partitions: int) -> Counter[str]:
    return +Counter({table.name: len(_moves(connection, table, partitions)) for table in PLACED})


def _moves(connection: Connection, table: Table, partitions: int) -> dict[str, int]:
    """Return the customers with rows under another partition than theirs, and theirs."""
    found = connection.execute(select(table.c.customer_id, table.c.partition).distinct())
    homes = ((c, p, partition_of(c.encode(), partitions)) for c, p in found)
    return {customer: home for customer, partition, home in homes if partition != home}


def _put(connection: Connection, table: Table, partitions: int) -> int:
    """Put the table's rows where they belong; once through, for not every table is indexed by customer."""
    connection.execute(text(_HOMES))
    connection.execute(text("TRUNCATE pg_temp.homes"))
    for some in batches(_moves(connection, table, partitions).items(), _AT_ONCE):
        connection.execute(
            text(
                "INSERT INTO pg_temp.homes SELECT * FROM unnest(CAST(:c AS text[]), CAST(:h AS int[]))"
            ),
            {"c": [customer for customer, _ in some], "h": [home for _, home in some]},
        )
    connection.execute(text("ANALYZE pg_temp.homes"))
    statement = text(
        f"UPDATE {table.name} AS p SET partition = homes.home FROM pg_temp.homes"  # noqa: S608 - of `PLACED`
        " WHERE p.customer_id = homes.customer AND p.partition <> homes.home"
    )
    return connection.execute(statement).rowcount


def _readdress(connection: Connection, partitions: int) -> int:
    """Put what waits to be published where its customer is; letters that are dead lie where they lay."""
    rows = connection.execute(
        select(OUTBOX.c.seq, OUTBOX.c.key, OUTBOX.c.partition)
        .where(OUTBOX.c.key.is_not(None))
        .where(OUTBOX.c.topic.in_({topic.name for topic in TOPIC_OF.values()}))
    ).all()
    homes = {row.seq: partition_of(row.key, partitions) for row in rows}
    moving = [row.seq for row in rows if row.partition != homes[row.seq]]
    for seq in moving:
        connection.execute(update(OUTBOX).where(OUTBOX.c.seq == seq).values(partition=homes[seq]))
    return len(moving)


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
