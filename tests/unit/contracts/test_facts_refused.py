"""Facts that contradict themselves, and values that could do harm further in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from services.contracts.contacts import HelpSearched, SurveyAnswered, SurveyKind
from services.contracts.deliveries import ShipmentCheckpoint
from services.contracts.envelope import Fact
from services.contracts.people import ConsentChanged, CustomerUpdated
from services.contracts.problems import Tier
from services.contracts.purchases import (
    CartAbandoned,
    PaymentFailed,
    RefundPaid,
    RefundPromised,
    ReturnRequested,
)
from services.contracts.stream import FEED_RECORD, Account, FeedMark, TickMark

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CONSENT = {"message_class": "care", "channel": "email", "status": "granted"}
SCAN = {"shipment_id": "s-1", "order_id": "o-1", "carrier": "dhl", "status": "in_transit"}

REFUND = {"refund_id": "r-1", "order_id": "o-1", "currency": "EUR", "amount_minor": 1}
SEARCH = {"search_id": "s-1", "place": "faq", "found": True}


@pytest.mark.parametrize(
    ("fact", "values"),
    [
        (CustomerUpdated, {"email": "a@example.org\r\nBcc: b@example.org"}),
        (CustomerUpdated, {"email": "a@b@example.org"}),
        (CustomerUpdated, {"phone": "015112345678"}),
        (CustomerUpdated, {"phone": "+4915112345678\n"}),
        (CustomerUpdated, {"phone": "+49 151 12345678"}),
        (CustomerUpdated, {"phone": "+4915112345678901"}),
        (CustomerUpdated, {"push_id": ""}),
        (CustomerUpdated, {"push_id": "a/b"}),
        (CustomerUpdated, {"push_id": "a" * 201}),
        (CustomerUpdated, {"chat_id": "@everybody"}),
        (CustomerUpdated, {"chat_id": "a,b"}),
        (CustomerUpdated, {"name": "Mara\nSubject: prize"}),
        (CustomerUpdated, {"time_zone": "Europe/Atlantis"}),
        (CustomerUpdated, {"time_zone": "../../etc/passwd"}),
        (CustomerUpdated, {"language": "german"}),
        (CustomerUpdated, {"country": "at"}),
        (ConsentChanged, CONSENT | {"valid_from": NOON, "valid_until": NOON}),
        (ConsentChanged, CONSENT | {"valid_from": NOON, "valid_until": NOON - timedelta(days=1)}),
        (ConsentChanged, CONSENT | {"status": "maybe"}),
        (ShipmentCheckpoint, SCAN | {"carrier": "DHL Express"}),
        (ShipmentCheckpoint, SCAN | {"substatus": "2"}),
        (ShipmentCheckpoint, SCAN | {"status": "lost"}),
        (CartAbandoned, {"cart_id": "c-1", "currency": "EUR", "lines": ()}),
        (PaymentFailed, {"payment_id": "p-1", "reason": "declined"}),
        (PaymentFailed, {"payment_id": "p-1", "reason": "no mood", "order_id": "o-1"}),
        (ReturnRequested, {"return_id": "r-1", "order_id": "o-1", "reason": "ugly"}),
        (RefundPaid, REFUND | {"amount_minor": 0}),
        (RefundPromised, REFUND),
        (RefundPromised, REFUND | {"promised_by": datetime(2026, 3, 2)}),  # noqa: DTZ001
        (HelpSearched, SEARCH | {"place": "neighbour"}),
        (HelpSearched, {"search_id": "s-1", "place": "faq"}),
    ],
)
def test_it_is_refused(fact: type[Fact], values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        fact(**values)


def test_open_ended_consent_is_none_or_one_date() -> None:
    assert ConsentChanged(**CONSENT, valid_from=NOON).valid_until is None
    assert ConsentChanged(**CONSENT, valid_until=NOON).valid_from is None


@pytest.mark.parametrize(
    ("kind", "lowest", "highest"), [("csat", 1, 5), ("ces", 1, 7), ("nps", 0, 10)]
)
def test_a_score_lies_on_its_surveys_scale(kind: str, lowest: int, highest: int) -> None:
    for score in (lowest, highest):
        assert SurveyAnswered(survey_id="1", kind=SurveyKind(kind), score=score).score == score
    for score in (lowest - 1, highest + 1):
        with pytest.raises(ValidationError):
            SurveyAnswered(survey_id="1", kind=SurveyKind(kind), score=score)


@pytest.mark.parametrize(
    ("kind", "score", "is_poor"),
    [
        ("csat", 2, True),
        ("csat", 3, False),
        ("ces", 2, True),
        ("ces", 3, False),
        ("nps", 6, True),
        ("nps", 7, False),
    ],
)
def test_poor_is_the_worst_of_each_kind_of_survey(kind: str, score: int, is_poor: bool) -> None:
    assert SurveyAnswered(survey_id="1", kind=SurveyKind(kind), score=score).is_poor is is_poor


def test_tiers_escalate_in_this_order() -> None:
    assert sorted(Tier, key=lambda tier: tier.rank) == [Tier.AT_RISK, Tier.OVERDUE, Tier.LATE]


def test_plain_records_lie_under_the_key_of_what_they_replace() -> None:
    assert FeedMark(feed="carrier:dhl", partition=3, tick=1, heard_at=NOON, events=1).key == (
        "carrier:dhl|3"
    )
    assert TickMark(partition=3, tick=1, at=NOON).key == "tick|3"
    assert Account(topic="contacts", partition=3, next_offset=9).key == "contacts|3"


def test_feed_records_are_told_apart() -> None:
    mark = TickMark(partition=3, tick=1, at=NOON)

    assert FEED_RECORD.validate_json(mark.model_dump_json()) == mark


def test_an_account_adds_up_every_outcome() -> None:
    account = Account(
        topic="contacts",
        partition=0,
        next_offset=15,
        applied=1,
        duplicate=2,
        late=4,
        dead_lettered=8,
    )

    assert account.total == 15
