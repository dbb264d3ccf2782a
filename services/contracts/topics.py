"""The one place that knows the topics: names, keys, clean-up, retention and who writes and reads them.

All topics of a deployment have the same number of partitions, so that a customer's whole story
lies under one partition number.  The number is a setting of the deployment, not of a topic.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache

DEFAULT_PARTITIONS = 12
"""A multiple of the most workers one expects; the demo uses 4."""

HORIZON = timedelta(days=400)
"""How far back facts live; an event older than this is counted as late and not applied."""

MAX_FUTURE_SKEW = timedelta(hours=24)
"""An event further ahead of the deployment's clock is refused: it would hold windows open."""

MAX_EVENT_BYTES = 256 * 1024
"""Ingest's limit for one event."""

_MIB = 1024 * 1024
TOMBSTONES_KEPT = timedelta(days=7)
"""How long a compacted topic shows that a key is gone.  Who was away longer must read all of it."""
SEGMENT_KEPT_OPEN = timedelta(hours=1)
"""Kafka never compacts the segment that is written to, and would write to one for a week: whoever reads a
compacted topic from its beginning, as the predictor does at its start, would read all of that."""
MAX_STATE_BYTES = 8 * _MIB
"""The largest value of one customer in the predictor's changelog: some 200,000 events."""

_DEAD_LETTER_SUFFIX = "-dlq"
_CONSUMERS = ("churn_predictor", "outreach")
"""Who moves on past a record it could not read; others only look, and leave its dead letter to these."""


class CleanUp(StrEnum):
    """Kafka's `cleanup.policy`."""

    DELETE = "delete"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True, eq=False)
class Topic:
    """One log.  `retention` is None where only compaction ends a record's life.

    There is one object of each: comparing their fields would cost a reader of all of them as much as parsing.
    """

    name: str
    key: str
    holds: str
    clean_up: CleanUp
    retention: timedelta | None
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    max_message_bytes: int = _MIB

    def physical(self, prefix: str = "") -> str:
        """Return the name on the broker for a deployment with this topic prefix."""
        return f"{prefix}{self.name}"

    def config(self) -> dict[str, str]:
        """Return Kafka's topic configuration as it is given to the broker."""
        config = {
            "cleanup.policy": self.clean_up.value,
            "max.message.bytes": str(self.max_message_bytes),
            "retention.ms": "-1" if self.retention is None else _milliseconds(self.retention),
        }
        if self.clean_up is CleanUp.COMPACT:
            config["delete.retention.ms"] = _milliseconds(TOMBSTONES_KEPT)
            config["segment.ms"] = _milliseconds(SEGMENT_KEPT_OPEN)
            config["min.cleanable.dirty.ratio"] = "0.1"
        return config


def in_sync(copies: int) -> int:
    """Return how many copies must have a record before it counts as written; one broker may be away."""
    return max(1, copies - 1)


def _milliseconds(span: timedelta) -> str:
    return str(int(span.total_seconds() * 1000))


def _log(
    name: str,
    key: str,
    holds: str,
    days: int | None,
    writers: str,
    readers: str,
    max_message_bytes: int = _MIB,
) -> Topic:
    return Topic(
        name=name,
        key=key,
        holds=holds,
        clean_up=CleanUp.COMPACT if days is None else CleanUp.DELETE,
        retention=None if days is None else timedelta(days=days),
        written_by=tuple(writers.split()),
        read_by=tuple(readers.split()),
        max_message_bytes=max_message_bytes,
    )


def _raw(name: str, holds: str, days: int | None, writers: str, readers: str) -> Topic:
    return _log(name, "customer_id", holds, days, writers, readers, 2 * _MIB)


def _tellers(topic: Topic) -> tuple[str, ...]:
    """Return who tells publishers what became of their events on this topic."""
    return tuple(each for each in topic.read_by if each == "ingest" and each in topic.written_by)


@cache
def dead_letter(topic: Topic) -> Topic:
    """Return the dead-letter topic of `topic`, always the same object.

    It takes whatever size the topic takes, and headers.
    """
    return Topic(
        name=f"{topic.name}{_DEAD_LETTER_SUFFIX}",
        key=f"as on {topic.name}",
        holds=f"what could not be read on {topic.name}: bytes, headers, reason, origin",
        clean_up=CleanUp.DELETE,
        retention=timedelta(days=14),
        written_by=tuple(each for each in topic.read_by if each in _CONSUMERS),
        read_by=("care dlq", "metrics", *_tellers(topic)),
        max_message_bytes=max(3 * _MIB, topic.max_message_bytes + _MIB),
    )


PURCHASES = _raw(
    "purchases",
    "orders as the shop sees them",
    30,
    "publishers ingest",
    "churn_predictor metrics ingest",
)
DELIVERIES = _raw(
    "deliveries",
    "promises, hand-overs, checkpoints, deliveries",
    30,
    "publishers ingest",
    "churn_predictor metrics ingest",
)
CONTACTS = _raw(
    "contacts",
    "what customers said to us, and surveys",
    30,
    "publishers ingest outreach",
    "churn_predictor outreach metrics ingest",
)
CUSTOMERS = _raw(
    "customers", "the whole profile at each change", None, "publishers ingest", "outreach"
)
CONSENTS = _raw(
    "consents",
    "each consent change",
    30,
    # Who says stop on a page of ours has told outreach alone; it belongs beside their every other word.
    "publishers ingest outreach",
    "outreach",
)
IDENTITIES = _raw(
    "identities",
    "merged, erased; nothing personal",
    400,
    "publishers ingest",
    "churn_predictor outreach metrics ingest",
)

TICKS = _log(
    "ticks",
    "none",
    "time, and where the source partitions ended at that moment",
    7,
    "churn_predictor replayer",
    "churn_predictor ingest outreach metrics",
)
PROBLEMS = _log(
    "problems",
    "customer_id",
    "opened, changed, cleared",
    400,
    "churn_predictor",
    "outreach metrics",
)
CUSTOMER_RISKS = _log(
    "customer-risks",
    "customer_id",
    "the latest risk of each customer",
    None,
    "churn_predictor",
    "others",
)
ASSESSMENTS = _log(
    "assessments",
    "customer_id",
    "each assessment that mattered, with its inputs",
    400,
    "churn_predictor",
    "metrics",
)
FEEDS = _log(
    "feeds",
    "feed and partition",
    "when each feed was last heard in each partition",
    None,
    "churn_predictor",
    "churn_predictor metrics",
)
ACCOUNTS = _log(
    "accounts",
    "source topic and partition",
    "cumulative counts: applied, duplicate, late, dead-lettered",
    None,
    "churn_predictor",
    "metrics ingest",
)
OUTREACH = _log(
    "outreach",
    "customer_id",
    "what was decided and what became of it",
    400,
    "outreach",
    "outreach metrics others",
)
HISTORIES = _log(
    "histories",
    "none",
    "what partitions tell, ask and answer each other about sellers, products, categories and lanes",
    7,
    "churn_predictor",
    "churn_predictor",
)
MOVES = _log(
    "moves",
    "none",
    "what is known of merged customers, on its way to the partition of the id that stays",
    30,
    "churn_predictor",
    "churn_predictor",
    MAX_STATE_BYTES,
)
FACTS_CHANGELOG = _log(
    "churn-predictor-facts-changelog",
    "customer_id or partition",
    "the predictor's state, to rebuild it",
    None,
    "churn_predictor",
    "churn_predictor",
    MAX_STATE_BYTES,
)

METRICS_STATE = _log(
    "metrics-state",
    "section and chunk",
    "what the metrics service has counted, and how far it had read by then",
    None,
    "metrics",
    "metrics",
)
METRICS_STEPS = _log(
    "metrics-steps",
    "none",
    "what the metrics service read and judged together, so that a restart repeats exactly that",
    7,
    "metrics",
    "metrics",
)

OUTSIDE = (PURCHASES, DELIVERIES, CONTACTS, CUSTOMERS, CONSENTS, IDENTITIES)
"""Topics that company systems write, directly or through ingest."""

PREDICTOR_SOURCES = (PURCHASES, DELIVERIES, CONTACTS, IDENTITIES)
"""Outside topics whose records the predictor accounts for."""

INTERNAL = (HISTORIES, MOVES)
"""Topics on which the predictor's partitions tell each other what counts from the next tick on."""

TICKED = (*PREDICTOR_SOURCES, *INTERNAL)
"""Topics that the predictor must have applied up to a tick's ends before the tick takes effect."""

PERSONAL = (CUSTOMERS, CONSENTS)
"""Outside topics whose bytes never go to a dead-letter topic, only a pointer to them."""

_ALL = (
    *OUTSIDE,
    TICKS,
    PROBLEMS,
    CUSTOMER_RISKS,
    ASSESSMENTS,
    FEEDS,
    ACCOUNTS,
    OUTREACH,
    *INTERNAL,
    FACTS_CHANGELOG,
    METRICS_STATE,
    METRICS_STEPS,
)
DEAD_LETTERS = tuple(
    dead_letter(topic) for topic in (*OUTSIDE, TICKS, PROBLEMS, OUTREACH, *INTERNAL)
)
TOPICS: tuple[Topic, ...] = (*_ALL, *DEAD_LETTERS)

_BY_NAME = {topic.name: topic for topic in TOPICS}


def by_name(name: str) -> Topic:
    """Return the topic of this logical name; KeyError where there is none."""
    return _BY_NAME[name]


def physical_names(topics: Iterable[Topic], prefix: str) -> dict[str, Topic]:
    """Return broker name → topic for a deployment with this prefix."""
    return {topic.physical(prefix): topic for topic in topics}
