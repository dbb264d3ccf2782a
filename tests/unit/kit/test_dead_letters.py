"""Dead letters say where they stood and why; nothing personal gets into them."""

import pytest

from services.contracts import topics as t
from services.contracts.topics import Topic
from services.kit import dead_letters
from services.kit.dead_letters import Headers, body_for, headers_for, read_header

ORIGINAL = [("content-type", b"application/json"), ("ce_subject", b"mara"), ("empty", None)]


def headers(topic: Topic = t.CONTACTS, detail: str = "/data: no object") -> Headers:
    """Return the headers of a dead letter."""
    return headers_for(
        service="outreach",
        reason="invalid",
        detail=detail,
        topic=topic,
        partition=3,
        offset=17,
        original=ORIGINAL,
    )


def test_original_headers_come_first_and_ours_say_where_and_why() -> None:
    assert headers() == [
        ("content-type", b"application/json"),
        ("ce_subject", b"mara"),
        ("empty", b""),
        ("care-dead-letter-reason", b"invalid"),
        ("care-dead-letter-detail", b"/data: no object"),
        ("care-dead-letter-topic", b"contacts"),
        ("care-dead-letter-partition", b"3"),
        ("care-dead-letter-offset", b"17"),
        ("care-dead-letter-service", b"outreach"),
    ]


@pytest.mark.parametrize("topic", t.PERSONAL, ids=lambda topic: topic.name)
def test_of_personal_topics_only_the_pointer_is_kept(topic: Topic) -> None:
    assert {name for name, _ in headers(topic)}.isdisjoint(name for name, _ in ORIGINAL)
    assert body_for(topic, b"Mara Beispiel") is None


@pytest.mark.parametrize("value", [b"{", None])
def test_of_other_topics_the_bytes_are_kept(value: bytes | None) -> None:
    assert body_for(t.CONTACTS, value) == value


def test_a_detail_is_cut_to_what_a_header_bears() -> None:
    found = read_header(headers(detail="x" * 5_000), dead_letters.DETAIL)

    assert found == "x" * 1_000


def test_of_repeated_headers_the_last_is_ours() -> None:
    """A publisher may have sent headers of our names."""
    forged = [(dead_letters.REASON, b"fine"), *headers()]

    assert read_header(forged, dead_letters.REASON) == "invalid"


@pytest.mark.parametrize(
    ("found", "text"), [([], None), ([("a", None)], None), ([("a", b"\xff")], "\ufffd")]
)
def test_a_header_that_is_absent_empty_or_no_text(found: Headers, text: str | None) -> None:
    assert read_header(found, "a") == text
