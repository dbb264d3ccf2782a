"""Whether outreach has read again what came since the backup: nobody is to be decided about before that.

A customer may have written, or said no, since then; that lies on `contacts` and `consents`, and a problem
that is read first would be decided as if it had not been.
"""

from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import Engine, select

from services.kit.topic_reader import TopicReader
from services.outreach.batch import SOURCES
from services.outreach.comparison import Bounds, SaidTopic
from services.outreach.positions import Source
from services.outreach.tables import SOURCE_POSITIONS


@dataclass(frozen=True, slots=True)
class Unread:
    """What is left to be read, and how far that has got."""

    sources: tuple[str, ...]
    """Those with a record that was there at first and is not applied yet."""
    reached: int
    """All positions together: they grow while somebody reads."""


def ends_of(topic: SaidTopic) -> dict[str, Bounds]:
    """Return where each source begins and ends now, by logical name; raises `Unavailable`."""
    with closing(topic.reader()) as reader:
        return {name: reader.bounds(source) for name, source in SOURCES.items()}


def unread(engine: Engine, topic: SaidTopic, ends: dict[str, Bounds]) -> Unread:
    """Return what lies before these ends and is not applied; raises `Unavailable`."""
    with engine.connect() as connection:
        rows = connection.execute(select(SOURCE_POSITIONS)).all()
    at = {(row.topic, row.partition): int(row.next_offset) for row in rows}
    with closing(topic.reader()) as reader:
        found = tuple(n for n, bounds in ends.items() if _is_behind(reader, n, bounds, at))
    return Unread(found, sum(at.values()))


def _is_behind(reader: TopicReader, name: str, bounds: Bounds, at: dict[Source, int]) -> bool:
    since = {partition: at.get((name, partition), 0) for partition in bounds}
    if all(since[partition] >= end for partition, (_, end) in bounds.items()):
        return False
    # The end of a topic may be a transaction's marker, which nobody reads: only a record counts.
    return any(
        record.offset < bounds[record.partition][1]
        for _, record in reader.records([SOURCES[name]], since=since)
    )
