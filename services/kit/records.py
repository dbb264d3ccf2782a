"""Reading one Kafka record as an event, in structured or in binary mode."""

from collections.abc import Sequence
from typing import Any

from services.contracts import events
from services.contracts.envelope import BINARY_PREFIX, Event, compose
from services.contracts.events import Fault, Unreadable
from services.contracts.topics import Topic

KafkaHeaders = Sequence[tuple[str, bytes | None]]


def read_event(
    topic: Topic,
    key: bytes | None,
    value: bytes | None,
    headers: KafkaHeaders,
    type_name: str | None = None,
) -> Event[Any]:
    """Return the event in this record of this topic; `type_name` is its type, where that was read already.

    Raises:
        Unreadable: empty, not an event, of a type that does not live on this topic, or under a key
            that is not its customer (then the customer's story would be torn apart).
    """
    if value is None:
        raise Unreadable("empty", (Fault("", "empty", "the record has no value"),))
    event = events.read(_structured(value, headers), type_name)
    if events.TOPIC_OF[type(event.data)] is not topic:
        detail = f"{event.type} does not belong on {topic.name}"
        raise Unreadable("wrong_topic", (Fault("/type", "wrong_topic", detail),))
    if key != event.partitionkey.encode():
        detail = "the record's key must be the event's partitionkey"
        raise Unreadable("wrong_key", (Fault("/partitionkey", "wrong_key", detail),))
    return event


def _structured(value: bytes, headers: KafkaHeaders) -> bytes:
    attributes = {
        name.removeprefix(BINARY_PREFIX): (content or b"").decode("utf-8", "replace")
        for name, content in headers
        if name.startswith(BINARY_PREFIX)
    }
    if "type" not in attributes:
        return value
    try:
        return compose(attributes, value)
    except ValueError as error:
        raise Unreadable("not_json", (Fault("/data", "not_json", str(error)),)) from None
