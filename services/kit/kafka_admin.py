"""Topics on the broker: made from the contracts, and checked before a service trusts its offsets."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from kafka.errors import (
    AuthorizationError,
    BrokerResponseError,
    CoordinatorNotAvailableError,
    KafkaTimeoutError,
    RetriableError,
    TopicAlreadyExistsError,
)
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from services.contracts.topics import TOPICS, Topic, in_sync
from services.kit import kafka_security
from services.kit.exits import Unavailable
from services.kit.kafka_clients import open_admin, reaching

_APPLY = "care topics apply"
_READY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic as the broker has it; its id changes when it is made anew."""

    name: str
    partitions: int
    topic_id: UUID


@contextmanager
def _admin(bootstrap: str) -> Iterator[Any]:
    client = open_admin(bootstrap)
    try:
        yield client
    finally:
        client.close()


def find_topics(bootstrap: str) -> dict[str, FoundTopic]:
    """Return what the broker has, by physical name.

    Raises:
        Unavailable: no broker answers.
    """
    with _admin(bootstrap) as client, reaching(bootstrap):
        described = client.describe_topics()
    return {
        topic["name"]: FoundTopic(
            topic["name"], len(topic["partitions"]), UUID(str(topic["topic_id"]))
        )
        for topic in described
    }


def apply_topics(
    bootstrap: str,
    *,
    partitions: int,
    replication: int = 1,
    prefix: str = "",
    topics: Iterable[Topic] = TOPICS,
) -> list[str]:
    """Create what is missing and return its physical names; leave what exists as it is.

    Raises:
        Unavailable: no broker answers, or a topic exists with another number of partitions.
    """
    wanted = tuple(topics)
    found = find_topics(bootstrap)
    missing = {
        topic.physical(prefix): new_topic(topic, partitions, replication)
        for topic in wanted
        if topic.physical(prefix) not in found
    }
    if missing:
        _create(bootstrap, missing)
    check_topics(bootstrap, wanted, partitions=partitions, prefix=prefix)
    return sorted(missing)


def grow_topics(bootstrap: str, names: Iterable[str], partitions: int) -> None:
    """Give these physical topics more partitions; those that have as many stay as they are.

    Raises:
        Unavailable: no broker answers, or a topic has more already.
    """
    found = find_topics(bootstrap)
    growing = {n: partitions for n in sorted(set(names)) if found[n].partitions != partitions}
    if growing:
        with _admin(bootstrap) as client, reaching(bootstrap):
            with _said_by_the_broker(growing):
                client.create_partitions(growing)
            _wait_until_grown(client, growing)


@contextmanager
def _said_by_the_broker(growing: Mapping[str, int]) -> Iterator[None]:
    """Tell a refusal (by a policy, a quota) as one: the broker is there."""
    try:
        yield
    except BrokerResponseError as error:
        if isinstance(error, AuthorizationError | RetriableError):
            raise
        raise Unavailable(
            f"Kafka gives {', '.join(growing)} no more partitions ({error}): let whoever runs it allow that"
        ) from error


def _wait_until_grown(client: Any, growing: Mapping[str, int]) -> None:
    """Return once every partition has its leader and is known to be there."""
    for attempt in Retrying(
        retry=retry_if_exception_type(KafkaTimeoutError),
        stop=stop_after_delay(_READY_SECONDS),
        wait=wait_fixed(0.2),
        reraise=True,
    ):
        with attempt:
            client.wait_for_topics(list(growing), timeout_ms=_READY_SECONDS * 1000)
            described = client.describe_topics(list(growing))
            if any(len(topic["partitions"]) != growing[topic["name"]] for topic in described):
                raise KafkaTimeoutError("not all of the new partitions are known yet")


def members_of(bootstrap: str, groups: Iterable[str]) -> dict[str, int]:
    """Return how many members each of these consumer groups has now.

    Raises:
        Unavailable: no broker answers.
    """
    # A broker that has had no group yet only begins to have a place for them when it is asked.
    again = Retrying(
        retry=retry_if_exception_type(CoordinatorNotAvailableError),
        stop=stop_after_delay(_READY_SECONDS),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    with _admin(bootstrap) as client, reaching(bootstrap):
        found = again(client.describe_groups, list(groups))
    return {name: len(group["members"] or ()) for name, group in found.items()}


def new_topic(topic: Topic, partitions: int, replication: int) -> dict[str, Any]:
    """Return how a topic is asked for: all copies but one must have a record before it counts as written.

    The broker's own default would be one copy, and with its loss an accepted event would be lost.
    """
    return {
        "num_partitions": partitions,
        "replication_factor": replication,
        "configs": topic.config() | {"min.insync.replicas": str(in_sync(replication))},
    }


def delete_topics(bootstrap: str, names: Iterable[str]) -> None:
    """Delete those of these physical topics that exist.

    Raises:
        Unavailable: no broker answers.
    """
    doomed = sorted(set(names) & set(find_topics(bootstrap)))
    with _admin(bootstrap) as client, reaching(bootstrap):
        client.delete_topics(doomed)


def check_topics(
    bootstrap: str, topics: Iterable[Topic], *, partitions: int, prefix: str = ""
) -> dict[str, FoundTopic]:
    """Return the topics as the broker has them, by logical name.

    Raises:
        Unavailable: no broker answers, a topic is missing, or has another number of partitions.
    """
    found = find_topics(bootstrap)
    wanted = {topic.name: topic.physical(prefix) for topic in topics}
    missing = sorted(name for name in wanted.values() if name not in found)
    if missing:
        raise Unavailable(
            f"topics are missing: {', '.join(missing)}; create them with `{_APPLY}`"
            f"{kafka_security.unseen()}"
        )
    for name in wanted.values():
        if found[name].partitions != partitions:
            raise Unavailable(
                f"topic {name} has {found[name].partitions} partitions and this service expects "
                f"{partitions}: set CARE_PARTITIONS={found[name].partitions} for every service, or move to "
                "more with `care partitions move`; counts that differ split a customer's story"
            )
    return {logical: found[name] for logical, name in wanted.items()}


def _create(bootstrap: str, missing: dict[str, dict[str, Any]]) -> None:
    with _admin(bootstrap) as client, reaching(bootstrap):
        # Somebody else may apply the same contracts at this moment; the check that follows decides.
        with suppress(TopicAlreadyExistsError):
            client.create_topics(missing)
        # Each partition gets its leader in turn: a busy broker takes its time for some hundred of them.
        client.wait_for_topics(list(missing), timeout_ms=_READY_SECONDS * 1000)
