"""What each service's Kafka user may do, and nothing else: derived from who writes and reads the topics.

An idempotent producer needs no more than to write to its topics; a write or read includes a look
(`Describe`), so that is granted only where it is all there is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from services.contracts import topics as t
from services.contracts.topics import Topic

PREDICTOR_GROUP = "churn-predictor"
"""The predictor's consumer group, and how its transactional ids begin: `-` and a partition follow."""
OUTREACH_GROUP = "outreach"
METRICS_WRITER = "metrics"
"""The one transactional id of the metrics service."""
NO_GROUP = "care-reads-without-a-group"
"""What librdkafka is given where it reads without one: it wants a name, looks for its coordinator, and
never joins."""

SERVICES = ("ingest", "churn_predictor", "outreach", "metrics")
TOPIC_MAKER = "topics"
"""`care topics apply` as a job: makes topics and looks whether they are there, reads and writes nothing."""
OPERATOR = "operator"
"""A person's `care` commands: make topics, read and verify them, have a customer forgotten."""
PUBLISHERS = "publishers"
"""Company systems that write to Kafka themselves."""
MOVER = "mover"
"""`care partitions move`: writes for all others, once."""
PRINCIPALS = (*SERVICES, TOPIC_MAKER, OPERATOR, MOVER, PUBLISHERS)

MOVED = (
    t.FACTS_CHANGELOG,
    t.HISTORIES,
    t.MOVES,
    t.FEEDS,
    t.CUSTOMERS,
    t.CUSTOMER_RISKS,
)
"""Topics on which something is brought to another partition where there are more."""

FORGETTING = (t.IDENTITIES, t.CUSTOMERS)
"""Topics that `care erase` writes to."""


class Resource(StrEnum):
    """What something is granted on, by Kafka's own names."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactionalId"


class Operation(StrEnum):
    """What is granted, by Kafka's own names."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    ALTER = "Alter"
    DESCRIBE = "Describe"


@dataclass(frozen=True, slots=True)
class Grant:
    """Operations on one resource, or on all whose names begin with `name`."""

    resource: Resource
    name: str
    operations: tuple[Operation, ...]
    is_prefix: bool = False


def user_of(principal: str, prefix: str = "") -> str:
    """Return the name of its Kafka user where nobody chose another."""
    return f"{prefix}care-{principal.replace('_', '-')}"


def grants(principal: str, prefix: str = "") -> tuple[Grant, ...]:
    """Return what this principal needs in a deployment with this topic prefix.

    Raises:
        KeyError: there is no such principal.
    """
    if principal not in PRINCIPALS:
        raise KeyError(principal)
    on_topics = (
        Grant(Resource.TOPIC, topic.physical(prefix), operations)
        for topic in t.TOPICS
        if (operations := tuple(_on_topic(principal, topic)))
    )
    return (*on_topics, *_beside_topics(principal, prefix))


def _on_topic(principal: str, topic: Topic) -> Iterator[Operation]:
    is_operator = principal == OPERATOR
    is_moved = principal == MOVER and (topic in MOVED or topic in t.PREDICTOR_SOURCES)
    is_published = principal == MOVER and "outreach" in topic.written_by
    is_read = principal == MOVER and ("outreach" in topic.read_by or topic is t.OUTREACH)
    if is_operator or is_moved or is_read or principal in topic.read_by:
        yield Operation.READ
    if (
        is_moved
        or is_published
        or principal in topic.written_by
        or (is_operator and topic in FORGETTING)
    ):
        yield Operation.WRITE
    if principal == MOVER:
        yield Operation.ALTER
    if is_operator or principal == TOPIC_MAKER:
        yield Operation.CREATE
    if principal == TOPIC_MAKER:
        yield Operation.DESCRIBE


def _beside_topics(principal: str, prefix: str) -> Iterator[Grant]:
    if principal == "churn_predictor":
        name = f"{prefix}{PREDICTOR_GROUP}"
        yield Grant(Resource.GROUP, name, (Operation.READ,))
        yield Grant(Resource.GROUP, NO_GROUP, (Operation.DESCRIBE,))
        ids, write = Resource.TRANSACTIONAL_ID, (Operation.WRITE,)
        yield Grant(ids, f"{name}-", write, is_prefix=True)
    elif principal == "outreach":
        yield Grant(Resource.GROUP, f"{prefix}{OUTREACH_GROUP}", (Operation.READ,))
    elif principal == MOVER:
        for group in (PREDICTOR_GROUP, OUTREACH_GROUP):
            yield Grant(Resource.GROUP, f"{prefix}{group}", (Operation.DESCRIBE,))
        yield Grant(Resource.GROUP, NO_GROUP, (Operation.DESCRIBE,))
        ids, write = Resource.TRANSACTIONAL_ID, (Operation.WRITE,)
        yield Grant(ids, f"{prefix}{PREDICTOR_GROUP}-", write, is_prefix=True)
        yield Grant(ids, f"{prefix}{METRICS_WRITER}", write)
    elif principal == "metrics":
        # How far the others are behind.
        for group in (PREDICTOR_GROUP, OUTREACH_GROUP):
            yield Grant(Resource.GROUP, f"{prefix}{group}", (Operation.DESCRIBE,))
        name = f"{prefix}{METRICS_WRITER}"
        yield Grant(Resource.TRANSACTIONAL_ID, name, (Operation.WRITE,))
