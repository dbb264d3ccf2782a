"""The Kafka users of the contracts as objects of Strimzi's user operator, each with what it needs."""

from collections.abc import Iterable, Iterator
from typing import Any

from services.contracts.access import OPERATOR, SERVICES, Grant, grants, user_of

API_VERSION = "kafka.strimzi.io/v1"
CLUSTER = "strimzi.io/cluster"
"""Label that says to which Kafka a user belongs."""
PRINCIPALS = (*SERVICES, OPERATOR)
"""Who always has an object.  Strimzi's own operator makes the topics; the mover is there while something is
moved; publishers are as many as there are company systems."""


def kafka_users(principals: Iterable[str], prefix: str) -> Iterator[dict[str, Any]]:
    """Yield a KafkaUser for each principal; its operator makes a secret of its name that holds `password`.

    The object's name is the user's: a prefix with capitals cannot be.
    """
    for principal in principals:
        yield {
            "apiVersion": API_VERSION,
            "kind": "KafkaUser",
            "metadata": {"name": user_of(principal, prefix)},
            "spec": {
                "authentication": {"type": "scram-sha-512"},
                "authorization": {
                    "type": "simple",
                    "acls": [_acl(grant) for grant in grants(principal, prefix)],
                },
            },
        }


def kafka_user(principal: str, prefix: str, cluster: str) -> dict[str, Any]:
    """Return the KafkaUser of one principal by itself, of the Kafka with this name."""
    (user,) = kafka_users([principal], prefix)
    user["metadata"]["labels"] = {CLUSTER: cluster}
    return user


def _acl(grant: Grant) -> dict[str, Any]:
    return {
        "resource": {
            "type": grant.resource.value,
            "name": grant.name,
            "patternType": "prefix" if grant.is_prefix else "literal",
        },
        "operations": [operation.value for operation in grant.operations],
    }
