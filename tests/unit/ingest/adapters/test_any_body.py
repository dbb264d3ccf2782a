"""Whatever a signed body holds, nothing breaks: each finding is a valid event, or says why not."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts.envelope import Event
from services.contracts.events import FROM_OUTSIDE, read_strictly
from services.ingest.adapters import aftership, chatwoot, shopify
from services.ingest.adapters.findings import Finding, Ignored, Refused
from services.ingest.adapters.shopify_terms import Options as ShopifyOptions
from services.ingest.adapters.shopify_terms import ParcelName
from tests.unit.ingest.adapters import examples

CODES = [*("InTransit", "Delivered", "Exception_002", "Teleported", "resolved", "open", "paid")]
WORDS = [
    *CODES,
    "incoming",
    "outgoing",
    "success",
    "input_csat",
    "JPY",
    "KWD",
    "a@b.example",
    "c-1",
]
TIMES = [
    "2026-03-02",
    "2026-03-02T07:30:00",
    "2026-03-02T07:30:00+25:00",
    "0001-01-01",
    "9999-12-31",
]
SCRAPS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [*WORDS, *TIMES, "1e99999", "-5", "0.005", "\x00", " ", "gid://x/Y/", "x" * 300]
    ),
    st.text(max_size=8),
)
VALUES = st.recursive(
    SCRAPS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
BY_FULFILLMENT = ShopifyOptions("p-", ParcelName.FULFILLMENT, "delivery_date")


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a body."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    return [path, *(place for key, item in inside for place in places(item, (*path, key)))]


def spoiled(value: Any, path: tuple[Any, ...], scrap: object) -> Any:
    """The body with something else at one place."""
    if not path:
        return scrap
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = spoiled(value[path[0]], path[1:], scrap)
    return copy


def spoiled_bodies(whole: list[examples.Body]) -> st.SearchStrategy[Any]:
    """Bodies in the documented shape with up to three places spoiled, and some with no shape at all."""

    @st.composite
    def build(draw: st.DrawFn) -> Any:
        body: Any = draw(st.sampled_from(whole))
        for _ in range(draw(st.integers(0, 3))):
            body = spoiled(body, draw(st.sampled_from(places(body))), draw(VALUES))
        return body

    return build() | VALUES


def check(found: list[Finding]) -> None:
    """Fail where a finding is neither a valid event nor a reason."""
    assert found
    for finding in found:
        if isinstance(finding, Event):
            assert finding.type in FROM_OUTSIDE
            assert read_strictly(json.loads(finding.encode())) == finding
            assert "@" not in finding.partitionkey
        else:
            assert isinstance(finding, Ignored | Refused)
            assert finding.reason
            assert finding.detail


AFTERSHIP = [
    examples.aftership(),
    examples.aftership(
        tag="Delivered", checkpoints=[examples.checkpoint("2026-03-04", "Delivered", None)]
    ),
]
ORDERS = [
    examples.shopify(
        cancelled_at="2026-03-04T00:00:00Z",
        fulfillments=[examples.fulfillment(), examples.fulfillment(shipment_status="delivered")],
        refunds=[examples.refund("1.00", "2.50")],
    )
]
ANSWER = {"submitted_values": {"csat_survey_response": {"rating": 5}}}
CHATWOOT = [
    *(examples.talk(name, status="resolved") for name in chatwoot.EVENTS),
    *(examples.message(name) for name in chatwoot.EVENTS),
    examples.message("message_updated", content_type="input_csat", content_attributes=ANSWER),
]


@settings(max_examples=150, deadline=None)
@given(spoiled_bodies(AFTERSHIP))
def test_aftership(body: object) -> None:
    check(aftership.findings(body, {}, aftership.Options()))


@settings(max_examples=150, deadline=None)
@given(
    spoiled_bodies(ORDERS),
    st.sampled_from([*shopify.TOPICS, "refunds/create"]),
    st.sampled_from([BY_FULFILLMENT, ShopifyOptions(promise_attribute="delivery_date")]),
)
def test_shopify(body: object, topic: str, options: ShopifyOptions) -> None:
    check(shopify.findings(body, {shopify.TOPIC_HEADER: topic}, options))


@settings(max_examples=150, deadline=None)
@given(spoiled_bodies(CHATWOOT))
def test_chatwoot(body: object) -> None:
    check(chatwoot.findings(body, {}, chatwoot.Options()))
