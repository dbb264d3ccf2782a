"""The topics of the contracts as objects of Strimzi's topic operator."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from services.contracts.topics import DEFAULT_PARTITIONS, Topic, in_sync

API_VERSION = "kafka.strimzi.io/v1"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a deployment lays its topics out."""

    prefix: str = ""
    partitions: int = DEFAULT_PARTITIONS
    replicas: int = 3


def kafka_topics(topics: Iterable[Topic], layout: Layout) -> Iterator[dict[str, Any]]:
    """Yield a KafkaTopic for each topic, in their order."""
    for topic in topics:
        name = topic.physical(layout.prefix)
        yield {
            "apiVersion": API_VERSION,
            "kind": "KafkaTopic",
            # An object's name has no capitals; the topic's own may.
            "metadata": {"name": name.lower()},
            "spec": {
                "topicName": name,
                "partitions": layout.partitions,
                "replicas": layout.replicas,
                "config": {**topic.config(), "min.insync.replicas": str(in_sync(layout.replicas))},
            },
        }
