"""Silent feeds: recomputed by other means than the predictor's, and whatever is spoiled is found."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.partitioner import murmur2 as kafkas

from services.contracts import topics as t
from services.contracts.contacts import SurveyKind, SurveySent
from services.contracts.stream import FEED_RECORD, FeedResumed, FeedSilent
from services.kit.kafka_clients import partition_of
from services.verifier.collect import collect
from services.verifier.evidence import Record
from services.verifier.judge import verify
from services.verifier.silences import murmur2, owner
from tests.factories import DAY, HOUR, START, event, scanned
from tests.unit.verifier.company import PARTITIONS, Company, again, instead, of, without

CARRIERS = ("dhl", "ups")
SURVEY = SurveySent(survey_id="v-1", kind=SurveyKind.CSAT)
CUSTOMERS = ("c-1", "c-2", "c-3")
ELSEWHERE, ITSELF = "ups through /parcels", "ups itself"
STEADY_DAYS = 16
"""Longer than nothing is said of a feed."""


def about_silences(records: list[Record]) -> list[str]:
    """Return what is found wrong with what was said of silent feeds."""
    wrong = verify(collect(records, PARTITIONS)).wrong
    words = (" silent (", " resumed (", "what was said of feeds")
    return [line for line in wrong if any(word in line for word in words)]


def said(company: Company) -> list[FeedSilent | FeedResumed]:
    """Return what was said of silent feeds."""
    found = [
        FEED_RECORD.validate_json(record.value or b"") for record in of(company.records, t.FEEDS)
    ]
    return [one for one in found if isinstance(one, FeedSilent | FeedResumed)]


def hear(company: Company, carrier: str, at: datetime, source: str | None = None) -> None:
    """Let one customer's parcel of a carrier be seen, and our own survey of another go out."""
    number = int(at.timestamp())
    customer = CUSTOMERS[number // 3600 % len(CUSTOMERS)]
    source = source or f"/carriers/{carrier}"
    name = f"sh-{carrier}"
    company.tell(
        scanned(name, f"o-{carrier}", carrier=carrier, at=at, source=source, customer=customer),
        event(SURVEY, at=at, source="/care/outreach", customer=customer),
    )


def steady() -> tuple[Company, datetime]:
    """Return a company that heard two carriers every three hours for longer than two weeks."""
    company, at = Company(), START
    company.tick(at)
    for step in range(1, STEADY_DAYS * 8 + 1):
        at = START + step * 3 * HOUR
        for minutes, carrier in enumerate(CARRIERS):
            hear(company, carrier, at - timedelta(minutes=5 + minutes))
        company.tick(at)
    return company, at


def told(*silences: int) -> Company:
    """Return a company whose second carrier then is silent for so many hours, again and again."""
    company, at = steady()
    for hours in silences:
        for _ in range(hours):
            at += HOUR
            hear(company, CARRIERS[0], at - timedelta(minutes=1))
            company.tick(at)
        hear(company, CARRIERS[1], at + timedelta(minutes=30))
        at += HOUR
        company.tick(at)
    at += HOUR
    company.tick(at)
    return company


def test_a_carrier_that_stops_is_reported_once_and_once_more_when_it_is_back() -> None:
    company = told(60)

    assert sorted((one.feed, one.kind) for one in said(company)) == [
        ("carrier:ups", "resumed"),
        ("carrier:ups", "silent"),
    ]
    assert about_silences(company.records) == []


@settings(max_examples=10, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sets(st.sampled_from([*CARRIERS, ELSEWHERE, ITSELF])),
            st.integers(0, 300),
            st.integers(1, 60),
        ),
        max_size=14,
    ),
    away=st.sampled_from([0, 0, 70, 399, 401]),
)
def test_predictor_and_verifier_agree_about_any_silence(
    steps: list[tuple[set[str], int, int]], away: int
) -> None:
    """Heard late or ahead of time, between ticks that are close or far apart, and after the horizon;
    through the carrier's own system, which may say something of its own, or through another."""
    company, at = steady()
    steps = [*steps, ({"ups"}, 0, 1), (set(), 0, away * 24 + 1), ({"ups"}, 0, 2), (set(), 0, 1)]
    for heard, minutes_ago, hours in steps:
        at += hours * HOUR
        for who in sorted(heard):
            told_at = at - timedelta(minutes=minutes_ago - 60)
            if who == ITSELF:
                company.tell(event(SURVEY, at=told_at, source="/carriers/ups"))
            else:
                carrier, _, source = who.partition(" through ")
                hear(company, carrier, told_at, source or None)
        company.tick(at)

    assert about_silences(company.records) == []


def test_what_is_missing_changed_or_said_twice_is_found() -> None:
    company = told(60)
    records = company.records
    first = of(records, t.FEEDS, '"kind":"silent"')[0]
    back = of(records, t.FEEDS, '"kind":"resumed"')[0]

    assert [": missing" in line for line in about_silences(without(records, first))] == [True]
    assert [": missing" in line for line in about_silences(without(records, back))] == [True]
    assert ["not due" in line for line in about_silences(again(records, first))] == [True]
    later = {"silent_from": (START + DAY).isoformat()}
    assert len(about_silences(instead(records, first, **later))) == 2
    lonely = [record for record in records if record.value != first.value or record == first]
    assert about_silences(lonely) == []


@pytest.mark.parametrize("key", ["", "a", "21", "foobar", "carrier:dhl", "publisher:/größe"])
def test_a_feed_belongs_to_kafkas_partition_of_its_name(key: str) -> None:
    assert murmur2(key.encode()) & 0x7FFFFFFF == int(kafkas(key.encode())) & 0x7FFFFFFF
    assert owner(key, 12) == partition_of(key.encode(), 12)
