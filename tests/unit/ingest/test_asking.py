"""Questions what became of an event: whatever a source and an id hold, they come through a path."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.topics import (
    CONSENTS,
    DELIVERIES,
    OUTSIDE,
    PERSONAL,
    PREDICTOR_SOURCES,
    PURCHASES,
    Topic,
)
from services.ingest.asking import Asked, Unanswerable, read_question, scope_of
from services.ingest.memory import Remembered
from services.ingest.records import Acknowledged
from tests.factories import HOUR, START

NAMES = st.text(
    st.characters(blacklist_categories=["Cc", "Cs", "Z"], min_codepoint=33), min_size=1, max_size=20
).filter(lambda text: not any(c.isspace() for c in text))


def asked(raw: str, *query: tuple[str, str]) -> Asked:
    return read_question(raw.encode(), query)


@given(NAMES, NAMES)
def test_a_source_and_an_id_come_through_as_they_are(source: str, event_id: str) -> None:
    path = f"/v1/events/{quote(source, safe='')}/{quote(event_id, safe='')}"

    assert asked(path) == Asked(source, event_id)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/events//shop/orders/e-1",
        "/v1/events/%2Fshop%2Forders",
        "/v1/events/%2Fshop/",
        "/v1/events//e-1",
        "/v1/events/%FF/e-1",
        "/v1/events/shop/a%20b",
        "/v1/events/shop/a%00b",
        f"/v1/events/shop/{'x' * 129}",
    ],
)
def test_what_names_no_event_is_no_question(path: str) -> None:
    with pytest.raises(Unanswerable):
        asked(path)


@pytest.mark.parametrize(
    "query",
    [
        [("customer", "a b")],
        [("customer", "c-1"), ("customer", "c-2")],
        [("since", "yesterday")],
        [("since", "2026-01-01T00:00:00")],
        [("topic", "problems")],
        [("topic", "nowhere")],
        [("type", "care.problem.opened.v1")],
        [("type", "care.order.placed.v1"), ("topic", "deliveries")],
        [("until", "2026-01-01T00:00:00Z")],
    ],
)
def test_what_narrows_nothing_is_refused_and_never_repeated(query: list[tuple[str, str]]) -> None:
    with pytest.raises(Unanswerable) as refused:
        asked("/v1/events/shop/e-1", *query)

    assert query[0][1] not in str(refused.value).split() or query[0][0] == "topic"


def test_what_narrows_it_narrows_it() -> None:
    told = asked(
        "/v1/events/shop/e-1",
        ("customer", "c-1"),
        ("type", "care.shipment.promised.v1"),
        ("since", "2026-01-01T01:00:00+01:00"),
    )
    assert told == Asked("shop", "e-1", "c-1", DELIVERIES, START)

    scope = scope_of(told, None, partition_of=lambda _: 3, earliest=START - HOUR)
    assert (scope.topics, scope.partition, scope.since) == ((DELIVERIES,), 3, START)


def test_without_a_hint_everything_is_looked_through() -> None:
    scope = scope_of(Asked("shop", "e-1"), None, partition_of=lambda _: 3, earliest=START)

    assert (scope.topics, scope.partition, scope.since) == (PREDICTOR_SOURCES, None, START)


def test_what_is_remembered_tells_where_to_look() -> None:
    known = Remembered(b"", PURCHASES, Acknowledged(2, 7))
    scope = scope_of(Asked("shop", "e-1"), known, partition_of=lambda _: 3, earliest=START)

    # Not the topic alone: the predictor knows an id again from each of its topics.
    assert (scope.topics, scope.partition) == (PREDICTOR_SOURCES, 2)


@pytest.mark.parametrize("topic", [None, *OUTSIDE])
@pytest.mark.parametrize("known", [None, Remembered(b"", CONSENTS, Acknowledged(2, 7))])
def test_topics_with_personal_data_are_never_read(
    topic: Topic | None, known: Remembered | None
) -> None:
    asked = Asked("shop", "e-1", topic=topic)

    scope = scope_of(asked, known, partition_of=lambda _: 3, earliest=START)

    assert not set(scope.topics) & set(PERSONAL)
