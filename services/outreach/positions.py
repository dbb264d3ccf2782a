"""How far each source partition is applied: moved by compare-and-set, in the effects' own transaction."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.dialects.postgresql import insert

from services.kit.exits import Unavailable
from services.kit.kafka_admin import FoundTopic
from services.kit.kafka_clients import partition_of
from services.outreach.tables import SOURCE_POSITIONS

Source = tuple[str, int]
"""Logical topic name and partition."""


class Superseded(Exception):
    """Another replica owns this partition by now: drop the batch and join the group anew."""


@dataclass(slots=True)
class Counts:
    """What became of the records of one source partition in one batch."""

    applied: int = 0
    duplicate: int = 0
    late: int = 0
    dead_lettered: int = 0

    def add(self, other: "Counts") -> None:
        """Count what another batch counted, too."""
        self.applied += other.applied
        self.duplicate += other.duplicate
        self.late += other.late
        self.dead_lettered += other.dead_lettered


@dataclass(slots=True)
class Move:
    """One position's step: where it must stand, and where it goes."""

    source: Source
    expected: int
    next_offset: int
    counts: Counts = field(default_factory=Counts)


_ADVANCE = text(
    """
    UPDATE source_positions AS p
       SET next_offset = v.next_offset,
           applied = p.applied + v.applied,
           duplicate = p.duplicate + v.duplicate,
           late = p.late + v.late,
           dead_lettered = p.dead_lettered + v.dead_lettered
      FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:expected AS bigint[]),
                  CAST(:next AS bigint[]), CAST(:applied AS bigint[]), CAST(:duplicate AS bigint[]),
                  CAST(:late AS bigint[]), CAST(:dead AS bigint[]))
           AS v (topic, partition, expected, next_offset, applied, duplicate, late, dead_lettered)
     WHERE p.topic = v.topic AND p.partition = v.partition
       AND p.next_offset = v.expected AND p.owner = :owner
    """
)


def advance(connection: Connection, owner: UUID, moves: Iterable[Move]) -> None:
    """Move positions and add to their counts, all or none.

    Raises:
        Superseded: a position is not where we left it, or no longer ours; roll back.
    """
    wanted = list(moves)
    if not wanted:
        return
    result = connection.execute(
        _ADVANCE,
        {
            "owner": owner,
            "topics": [move.source[0] for move in wanted],
            "partitions": [move.source[1] for move in wanted],
            "expected": [move.expected for move in wanted],
            "next": [move.next_offset for move in wanted],
            "applied": [move.counts.applied for move in wanted],
            "duplicate": [move.counts.duplicate for move in wanted],
            "late": [move.counts.late for move in wanted],
            "dead": [move.counts.dead_lettered for move in wanted],
        },
    )
    if result.rowcount != len(wanted):
        raise Superseded(
            f"{len(wanted) - result.rowcount} of {len(wanted)} positions moved elsewhere"
        )


def claim(connection: Connection, owner: UUID, sources: Iterable[Source]) -> dict[Source, int]:
    """Make these positions ours, so that a former owner's writes fail; return where they stand."""
    wanted = list(sources)
    if not wanted:
        return {}
    rows = connection.execute(
        text(
            """
            UPDATE source_positions AS p SET owner = :owner
              FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[])) AS v (topic, partition)
             WHERE p.topic = v.topic AND p.partition = v.partition
            RETURNING p.topic, p.partition, p.next_offset
            """
        ),
        {
            "owner": owner,
            "topics": [topic for topic, _ in wanted],
            "partitions": [partition for _, partition in wanted],
        },
    )
    return {(row.topic, row.partition): int(row.next_offset) for row in rows}


def standing(
    connection: Connection, topics: Iterable[str], partition: int | None = None
) -> dict[int, dict[str, int]]:
    """Return partition → topic → the offset before which all is applied, of one partition or all."""
    columns = SOURCE_POSITIONS.c
    query = select(columns.topic, columns.partition, columns.next_offset)
    query = query.where(columns.topic.in_(list(topics)))
    if partition is not None:
        query = query.where(columns.partition == partition)
    found: dict[int, dict[str, int]] = {}
    for row in connection.execute(query):
        found.setdefault(row.partition, {})[row.topic] = row.next_offset
    return found


def check_topic_ids(engine: Engine, found: Mapping[str, FoundTopic]) -> None:
    """Make a position for every partition not seen before, and refuse topics that were made anew.

    Raises:
        Unavailable: a stored position belongs to a topic of the same name that no longer exists, or what is
            stored belongs to another number of partitions.
    """
    rows = [
        {"topic": name, "partition": p, "topic_id": topic.topic_id, "next_offset": 0}
        for name, topic in sorted(found.items())
        for p in range(topic.partitions)
    ]
    with engine.begin() as connection:
        _refuse_other_layouts(connection, {topic.partitions for topic in found.values()})
        connection.execute(insert(SOURCE_POSITIONS).on_conflict_do_nothing(), rows)
        stored = connection.execute(
            select(SOURCE_POSITIONS.c.topic, SOURCE_POSITIONS.c.topic_id).distinct()
        ).all()
    for topic, topic_id in stored:
        if topic in found and found[topic].topic_id != topic_id:
            raise Unavailable(
                f"topic {found[topic].name} was made anew since this database last read it, so its "
                "stored offsets mean nothing: restore the topic, or start with an empty database"
            )


def partitions_in(connection: Connection) -> int | None:
    """Return for how many partitions this database holds what it holds; None: nothing was read yet."""
    last = connection.execute(select(func.max(SOURCE_POSITIONS.c.partition))).scalar_one()
    return None if last is None else int(last) + 1


def home_of(connection: Connection, customer: str) -> int:
    """Return the partition to which a customer belongs; 0 before anything is read."""
    return partition_of(customer.encode(), partitions_in(connection) or 1)


def _refuse_other_layouts(connection: Connection, found: Collection[int]) -> None:
    before = partitions_in(connection)
    for now in found:
        if before is not None and before != now:
            raise Unavailable(
                f"what this database holds belongs to {before} partitions, and every topic has {now}: "
                f"stop every replica and run `care partitions move --from {before} --to {now}`"
            )


def profile_accounts(connection: Connection, topics: Iterable[str]) -> dict[tuple[str, str], int]:
    """Return records accounted for by topic and outcome, over all partitions."""
    totals: dict[tuple[str, str], int] = {}
    for row in connection.execute(
        select(SOURCE_POSITIONS).where(SOURCE_POSITIONS.c.topic.in_(list(topics)))
    ):
        for outcome in ("applied", "duplicate", "late", "dead_lettered"):
            key = (row.topic, outcome)
            totals[key] = totals.get(key, 0) + int(getattr(row, outcome))
    return totals
