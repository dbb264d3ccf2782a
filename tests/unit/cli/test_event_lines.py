"""Lines are read as the door reads: bare events, told ones, and what is none."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.cli.event_lines import name_of, read_lines
from services.contracts.envelope import Event
from services.contracts.topics import MAX_EVENT_BYTES
from tests.factories import DAY, START, placed
from tests.unit.why.events import sent


def bare(event: Event[Any], **more: object) -> bytes:
    return json.dumps(json.loads(event.encode()) | more).encode() + b"\n"


def told(event: Event[Any]) -> bytes:
    return b'{"sent_at": "2026-01-01T00:00:00Z", "to_be_refused": false, "event": %s}\n' % (
        event.encode()
    )


def why(line: bytes) -> str:
    (found,) = read_lines([line], START)
    assert found.event is None
    return found.why


def test_an_event_may_stand_alone_or_in_what_the_simulated_shop_writes() -> None:
    one, other = placed("o-1"), placed("o-2")

    found = list(read_lines([bare(one), b"\n", told(other)], START))

    assert [(line.number, line.event) for line in found] == [(1, one), (3, other)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not_json"),
        (b"[]", "not_an_event"),
        (b'{"event": 1}', "not_an_event"),
        (bare(placed(), colour="red", data={}), "/data/order_id"),
        (bare(placed(), type="care.order.lost.v1"), "no event type of this name is known"),
        (bare(placed(at=START + DAY + timedelta(seconds=1))), "too_far_ahead"),
        (bare(placed(), subject="x" * MAX_EVENT_BYTES), "too_large"),
        (told(placed()).replace(b'"id":', b'"id":"again","id":'), "invalid"),
        (b'{"event": {}, "event": {}}', "invalid"),
    ],
)
def test_what_the_door_would_refuse_is_told_with_its_reason(line: bytes, reason: str) -> None:
    assert reason in why(line)


def test_what_only_this_system_says_is_refused() -> None:
    assert "only this system itself writes this type" in why(bare(sent(UUID(int=1))))


def test_no_value_of_a_refused_event_is_told() -> None:
    assert "canary" not in why(bare(placed(), time="canary", partitionkey="canary@example.org"))


def test_two_events_share_a_name_where_the_predictor_takes_them_for_one() -> None:
    one = placed("o-1", event_id="e")

    assert name_of(one) == name_of(placed("o-2", event_id="e", at=START + DAY))
    for other in (
        placed(event_id="f"),
        placed(event_id="e", customer="c-2"),
        placed(event_id="e", source="/shop/other"),
    ):
        assert name_of(other) != name_of(one)
