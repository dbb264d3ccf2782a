"""Kafka shell: one record of one topic as something the fold knows.  Never fails on a record."""

from typing import Protocol

from pydantic import ValidationError

from services.contracts import topics as t
from services.contracts.envelope import BARRIER
from services.contracts.events import Unreadable
from services.contracts.stream import FEED_RECORD, Account, Barrier, Tick
from services.kit import dead_letters
from services.kit.dead_letters import read_header
from services.kit.records import KafkaHeaders, read_event
from services.metrics.envelopes import check, is_enough, read_envelope
from services.metrics.figures.pipeline import DeadLetter
from services.metrics.fold import Record, Unread

READ_TOPICS: tuple[t.Topic, ...] = tuple(
    topic
    for topic in t.TOPICS
    if "metrics" in topic.read_by and topic not in (t.METRICS_STATE, t.METRICS_STEPS)
)
"""Every topic but those with personal data and those that only rebuild somebody's state."""

REASONS = (
    "not_json",
    "not_an_event",
    "unknown_type",
    "invalid",
    "empty",
    "wrong_topic",
    "wrong_key",
    "misplaced",
    "future",
)
"""Reasons of dead letters that get a series of their own from the start."""

OTHER_REASON = "other"
"""Keeps the label bounded: a dead-letter topic takes any header from whoever may write there."""

_ORIGIN = {t.dead_letter(topic).name: topic.name for topic in t.TOPICS}
_WITH_BARRIERS = (t.PROBLEMS, t.OUTREACH)
_CONTENT_TYPE = "content-type"


class KafkaRecord(Protocol):
    """What is used of a record of the client."""

    @property
    def key(self) -> bytes | None:
        """The record's key."""
        ...

    @property
    def value(self) -> bytes | None:
        """Its value; None is a tombstone."""
        ...

    @property
    def headers(self) -> KafkaHeaders:
        """Its headers, repeated ones too."""
        ...


def decode(topic: t.Topic, record: KafkaRecord) -> Record | None:
    """Return what this record says; None where it says nothing (a tombstone)."""
    if topic in t.DEAD_LETTERS:
        return _dead_letter(topic, record.headers)
    if record.value is None and topic.clean_up is t.CleanUp.COMPACT:
        return None
    try:
        return _read(topic, record)
    except Unreadable as error:
        return Unread(error.reason)
    except ValidationError:
        return Unread("invalid")


def _read(topic: t.Topic, record: KafkaRecord) -> Record:
    value = record.value or b""
    if topic is t.TICKS:
        return Tick.model_validate_json(value)
    if topic is t.ACCOUNTS:
        return Account.model_validate_json(value)
    if topic is t.FEEDS:
        return FEED_RECORD.validate_json(value)
    if topic in _WITH_BARRIERS and read_header(record.headers, _CONTENT_TYPE) == BARRIER:
        return Barrier.model_validate_json(value)
    told = read_envelope(value, record.headers)
    if told is None:
        return read_event(topic, record.key, record.value, record.headers)
    if not is_enough(told):
        return read_event(topic, record.key, record.value, record.headers, told.type)
    check(told, topic, record.key)
    return told


def _dead_letter(topic: t.Topic, headers: KafkaHeaders) -> DeadLetter:
    reason = read_header(headers, dead_letters.REASON)
    partition = read_header(headers, dead_letters.PARTITION)
    offset = read_header(headers, dead_letters.OFFSET)
    return DeadLetter(
        origin=_ORIGIN[topic.name],
        reason=reason if reason in REASONS else OTHER_REASON,
        service=read_header(headers, dead_letters.SERVICE) or "",
        place=f"{partition}/{offset}",
    )
