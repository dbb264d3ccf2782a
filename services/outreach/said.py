"""Up to where this database knows what lies on `outreach`, moved in the transaction that forgets the outbox.

What outreach publishes lies there without a gap, one record behind the other.  Whoever publishes and
finds its records elsewhere than at the end of what is known has found something that was said by somebody
else: by a former replica, twice; or by a database that is gone, and this one is older.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects.postgresql import insert

from services.outreach.tables import SAID_POSITIONS


class Gap(Exception):
    """Something lies on the topic that this database was not told of: compare before going on."""


@dataclass(frozen=True, slots=True)
class Span:
    """Records on one partition, one behind the other."""

    first: int
    next: int

    def then(self, offset: int) -> "Span":
        """Return this span with the record at `offset`, which must lie right behind it.

        Raises:
            Gap: it does not.
        """
        if offset != self.next:
            raise Gap(f"expected offset {self.next} and got {offset}")
        return Span(self.first, offset + 1)


def joined(before: Mapping[int, Span], written: Iterable[tuple[int, int]]) -> dict[int, Span]:
    """Return the spans of each partition with what was written, partition and offset, in order.

    Raises:
        Gap: something lies in between.
    """
    spans = dict(before)
    for partition, offset in written:
        spans[partition] = spans.get(partition, Span(offset, offset)).then(offset)
    return spans


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where one partition is known."""

    topic_id: UUID
    next_offset: int


def positions(connection: Connection) -> dict[int, Position]:
    """Return the position of each partition ever looked at."""
    found = connection.execute(select(SAID_POSITIONS))
    return {row.partition: Position(row.topic_id, int(row.next_offset)) for row in found}


def begin(connection: Connection, partitions: int, topic_id: UUID) -> None:
    """Add the partitions never looked at, of which nothing is known."""
    rows = [{"partition": p, "topic_id": topic_id, "next_offset": 0} for p in range(partitions)]
    connection.execute(insert(SAID_POSITIONS).on_conflict_do_nothing(), rows)


_FOLLOW = text(
    """
    UPDATE said_positions AS p SET next_offset = v.next
      FROM unnest(CAST(:partitions AS int[]), CAST(:first AS bigint[]), CAST(:next AS bigint[]))
           AS v (partition, first, next)
     WHERE p.partition = v.partition AND p.next_offset = v.first
    """
)


def follow(connection: Connection, spans: Mapping[int, Span]) -> None:
    """Know these records, too.

    Raises:
        Gap: they do not lie where what is known ends; roll back.
    """
    if not spans:
        return
    result = connection.execute(
        _FOLLOW,
        {
            "partitions": list(spans),
            "first": [span.first for span in spans.values()],
            "next": [span.next for span in spans.values()],
        },
    )
    if result.rowcount != len(spans):
        raise Gap(
            f"{len(spans) - result.rowcount} of {len(spans)} partitions hold more than is known"
        )


def pass_over(connection: Connection, partition: int, expected: int, next_offset: int) -> None:
    """Know what lies up to here, unless somebody else has moved the position meanwhile."""
    connection.execute(
        update(SAID_POSITIONS)
        .where(SAID_POSITIONS.c.partition == partition, SAID_POSITIONS.c.next_offset == expected)
        .values(next_offset=next_offset)
    )


def settle(connection: Connection, positions_: Mapping[int, Position]) -> None:
    """Put every position where it is to be from now on."""
    rows = [
        {"partition": p, "topic_id": at.topic_id, "next_offset": at.next_offset}
        for p, at in positions_.items()
    ]
    statement = insert(SAID_POSITIONS)
    changed = {name: statement.excluded[name] for name in ("topic_id", "next_offset")}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["partition"], set_=changed), rows
    )
