"""One Kafka record as an event, or why it can never be one."""

import json

import pytest

from services.contracts import topics as t
from services.contracts.envelope import STRUCTURED
from services.contracts.events import Unreadable
from services.contracts.topics import Topic
from services.kit.records import KafkaHeaders, read_event
from tests import factories

EVENT = factories.placed()
KEY = EVENT.partitionkey.encode()
STRUCTURED_HEADERS = [("content-type", STRUCTURED.encode())]


def binary() -> tuple[KafkaHeaders, bytes]:
    """Return headers and value of the event in binary mode."""
    attributes = json.loads(EVENT.encode())
    body = json.dumps(attributes.pop("data")).encode()
    return [(f"ce_{name}", str(value).encode()) for name, value in attributes.items()], body


def test_structured_and_binary_mode_are_the_same_event() -> None:
    headers, body = binary()

    assert read_event(t.PURCHASES, KEY, EVENT.encode(), STRUCTURED_HEADERS) == EVENT
    assert read_event(t.PURCHASES, KEY, EVENT.encode(), ()) == EVENT
    assert read_event(
        t.PURCHASES, KEY, body, [("content-type", b"application/json"), *headers]
    ) == (EVENT)


def test_a_tracing_header_alone_does_not_make_it_binary() -> None:
    headers = [*STRUCTURED_HEADERS, ("ce_traceparent", b"00-x"), ("traceparent", b"00-y")]

    assert read_event(t.PURCHASES, KEY, EVENT.encode(), headers) == EVENT


@pytest.mark.parametrize(
    ("topic", "key", "value", "reason", "pointer"),
    [
        (t.PURCHASES, KEY, None, "empty", ""),
        (t.PURCHASES, KEY, b"", "not_json", ""),
        (t.PURCHASES, KEY, b"{", "not_json", ""),
        (t.DELIVERIES, KEY, EVENT.encode(), "wrong_topic", "/type"),
        (t.PURCHASES, b"c-2", EVENT.encode(), "wrong_key", "/partitionkey"),
        (t.PURCHASES, None, EVENT.encode(), "wrong_key", "/partitionkey"),
    ],
)
def test_what_cannot_be_an_event_of_this_topic_says_why(
    topic: Topic, key: bytes | None, value: bytes | None, reason: str, pointer: str
) -> None:
    with pytest.raises(Unreadable) as refused:
        read_event(topic, key, value, STRUCTURED_HEADERS)

    assert refused.value.reason == reason
    assert refused.value.faults[0].pointer == pointer


@pytest.mark.parametrize("body", [b"{", b"NaN!", b"\xff"])
def test_a_binary_body_that_is_not_json_says_so(body: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        read_event(t.PURCHASES, KEY, body, binary()[0])

    assert (refused.value.reason, refused.value.faults[0].pointer) == ("not_json", "/data")


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b""])
def test_a_broken_binary_attribute_is_no_crash(content: bytes | None) -> None:
    headers, body = binary()
    broken = [(name, content if name == "ce_type" else value) for name, value in headers]

    with pytest.raises(Unreadable) as refused:
        read_event(t.PURCHASES, KEY, body, broken)
    assert refused.value.reason == "unknown_type"
