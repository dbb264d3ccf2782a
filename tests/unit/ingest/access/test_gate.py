"""A visit by itself: who only asks, and what is admitted where nobody is known."""

import asyncio
from dataclasses import replace

import pytest

from services.contracts.topics import PURCHASES
from services.contracts.trace_context import of_event
from services.ingest.access.callers import Denied
from services.ingest.access.gate import Gate, Visit
from services.ingest.access.rates import Rate
from services.ingest.access.refusals import answer_of
from services.ingest.reading import Readable, Reading, Refused
from services.kit.api_keys import Keys
from tests import factories
from tests.unit.kit.test_api_keys import NOW, made

KEY, TEXT = made()
GATE = Gate(
    now=lambda: NOW,
    elapsed=lambda: 0.0,
    rate=Rate(1, 2),
    keys=lambda: Keys([replace(KEY, scopes=("publish:care.order.*@/shop/*",))], NOW),
    signers=dict,
)


def readable() -> Readable:
    event = factories.placed()
    return Readable(event, PURCHASES, of_event(event))


def entered(headers: dict[str, str]) -> Visit:
    visit = replace(GATE, buckets=type(GATE.buckets)()).visit(headers, None)
    asyncio.run(visit.enter())
    return visit


def test_who_asks_needs_a_scope_for_the_source_and_counts_as_one_event() -> None:
    visit = entered({"x-api-key": TEXT})
    visit.ask("/shop/orders")

    with pytest.raises(Denied, match="missing_scope") as caught:
        visit.ask("/other")
    assert answer_of(caught.value).status == 403
    with pytest.raises(Denied, match="rate_limited"):
        visit.admit([])


def test_a_signature_says_nothing_of_who_only_asks() -> None:
    stamp = str(int(NOW.timestamp()))
    visit = entered({"webhook-id": "1", "webhook-timestamp": stamp, "webhook-signature": "v1,x"})

    with pytest.raises(Denied, match="malformed"):
        visit.ask("/shop/orders")


def test_nothing_is_admitted_of_nobody() -> None:
    visit = GATE.visit({}, None)

    refused = visit.admit(readable())

    assert isinstance(refused, Refused)
    assert refused.reason == "forbidden"


def test_requests_side_by_side_are_counted_as_they_are_admitted() -> None:
    gate = replace(GATE, buckets=type(GATE.buckets)())
    first, second = (gate.visit({"x-api-key": TEXT}, None) for _ in range(2))
    for visit in (first, second):
        asyncio.run(visit.enter())
    batch: list[Reading] = [readable()] * 2

    assert first.admit(batch) == batch
    with pytest.raises(Denied, match="rate_limited"):
        second.admit(batch)
