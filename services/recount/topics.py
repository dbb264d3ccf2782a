"""Reads everything a recount needs from Kafka: its one shell."""

from services.contracts import topics as t
from services.contracts.envelope import BARRIER
from services.contracts.events import Unreadable
from services.contracts.topics import Topic
from services.kit.dead_letters import read_header
from services.kit.records import read_event
from services.kit.topic_reader import Progress, TopicReader
from services.recount.count import Told

TOPICS: tuple[Topic, ...] = (
    t.PURCHASES,
    t.DELIVERIES,
    t.CONTACTS,
    t.IDENTITIES,
    t.PROBLEMS,
    t.ASSESSMENTS,
    t.OUTREACH,
)
"""The topics of events that the metrics service reads."""


def read(reader: TopicReader, progress: Progress = lambda *_: None) -> Told:
    """Return all that lies on these topics now.

    Raises:
        Unavailable: the broker stopped answering on the way.
    """
    told = Told()
    for topic, record in reader.records(TOPICS, progress=progress):
        if read_header(record.headers, "content-type") == BARRIER:
            continue
        try:
            told.take(topic.name, read_event(topic, record.key, record.value, record.headers))
        except Unreadable:
            told.records[topic.name, "unreadable"] += 1
    return told
