"""A publisher's own events: each rule finds what it is about, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest

from services.contracts.envelope import Event
from services.contracts.topics import HORIZON
from services.publisher_kit.own import Found, Review, Rule
from services.publisher_kit.pieces import read_alone
from tests.factories import START, placed, promised

NOW = START + timedelta(hours=2)


def review(
    *events: Event[Any] | bytes, wanted: tuple[str, ...] = (), fresh: int = 7200
) -> list[Found]:
    made = Review(NOW)
    found: list[Found] = []
    for number, event in enumerate(events):
        raw = event if isinstance(event, bytes) else event.encode()
        found += made.read(f"f:{number}", read_alone(raw, NOW))
    return found + list(made.end(wanted, timedelta(seconds=fresh)))


def test_events_and_repeats_under_the_same_id_are_right() -> None:
    one, other = placed("o-1"), placed("o-2")

    assert review(one, other, one, one, wanted=("care.order.placed.v1",)) == []


def test_each_attempt_may_have_a_trace_of_its_own() -> None:
    one = placed("o-1")
    traced = [one.model_copy(update={"traceparent": f"00-{n * 32}-{n * 16}-01"}) for n in "12"]

    assert review(one, *traced) == []


@pytest.mark.parametrize(
    ("events", "rule"),
    [
        ((b"{}",), Rule.REFUSED),
        ((placed("o-1", event_id="e"), placed("o-2", event_id="e")), Rule.CONFLICT),
        ((placed("o-1", event_id="e"), placed("o-1", event_id="f")), Rule.NEW_ID),
        (
            (placed("o-1", customer="c-1"), promised(order="o-1", customer="c-2")),
            Rule.TWO_CUSTOMERS,
        ),
        ((placed("o-1"), placed("o-2", at=NOW - HORIZON - timedelta(seconds=1))), Rule.TOO_OLD),
    ],
)
def test_each_rule_finds_what_it_is_about(events: tuple[Any, ...], rule: Rule) -> None:
    found = review(*events)

    assert [(each.rule, each.place) for each in found] == [(rule, f"f:{len(events) - 1}")]


def test_what_is_absent_and_what_is_stale_is_told_in_the_end() -> None:
    found = review(placed(), wanted=("care.order.approved.v1",), fresh=7199)

    assert [each.rule for each in found] == [Rule.ABSENT, Rule.STALE]


def test_the_same_id_of_two_sources_is_two_events() -> None:
    assert review(placed("o-1", event_id="e"), placed("o-2", event_id="e", source="/shop/b")) == []


def test_no_value_of_an_event_is_told() -> None:
    wrong = placed("o-canary").encode().replace(b"EUR", b"canary")

    assert "canary" not in str(
        review(wrong, placed("o-canary"), placed("o-canary", customer="c-9"))
    )
