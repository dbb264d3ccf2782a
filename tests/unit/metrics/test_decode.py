"""Any record becomes something the fold knows; none stops the reader."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from services.contracts import events
from services.contracts import topics as t
from services.contracts.envelope import BARRIER, STRUCTURED, Event, Fact
from services.contracts.events import TOPIC_OF
from services.contracts.stream import (
    Account,
    Barrier,
    FeedMark,
    FeedResumed,
    FeedSilent,
    Tick,
    TickMark,
)
from services.contracts.topics import Topic
from services.kit import dead_letters
from services.kit.records import KafkaHeaders
from services.metrics.decode import OTHER_REASON, READ_TOPICS, decode
from services.metrics.figures.pipeline import DeadLetter
from services.metrics.fold import Envelope, FeedRecord, Unread
from services.metrics.state import FAMILIES, READERS, State
from tests.contract import examples
from tests.factories import scanned
from tests.unit.metrics.stories import CUSTOMER, complained, placed

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOTICE: dict[str, Any] = {"feed": "carrier:dhl", "partition": 0, "tick": 3, "at": NOON}
BARRIER_HEADERS = [("content-type", BARRIER.encode())]
BARRIER_JSON = Barrier(barrier="r-1", number=1, at=NOON, partition=0, ends={}).encode()


@dataclass(frozen=True)
class Raw:
    """A record as the client gives it."""

    value: bytes | None = None
    key: bytes | None = None
    headers: KafkaHeaders = ()


def test_it_reads_every_topic_but_those_with_personal_data_and_private_state() -> None:
    left_out = set(t.TOPICS) - set(READ_TOPICS)

    private = {t.CUSTOMER_RISKS, t.FACTS_CHANGELOG, *t.INTERNAL, t.METRICS_STATE, t.METRICS_STEPS}
    assert left_out == {t.CUSTOMERS, t.CONSENTS, *private}


SPIED: list[str] = []


def spy_on(fact: Fact) -> Fact:
    """Return the fact as one that notes which of its fields somebody looks at."""

    def look(self: Any, name: str) -> Any:
        if name in type(fact).model_fields:
            SPIED.append(name)
        return object.__getattribute__(self, name)

    spying = type("Spying", (type(fact),), {"__getattribute__": look})
    fields = {name: getattr(fact, name) for name in type(fact).model_fields}
    return spying.model_construct(**fields)  # type: ignore[attr-defined, no-any-return]


def looking(told: Event[Any]) -> set[str]:
    """Return the families that look into this event, or count it."""
    found = set()
    for name in FAMILIES:
        SPIED.clear()
        state = State()
        getattr(state, name).fold(0, told)
        if state == State():
            getattr(state, name).fold(0, told.model_copy(update={"data": spy_on(told.data)}))
        if SPIED or state != State():
            found.add(name)
    return found


EXAMPLES_READ = [e for e in examples.OF_EVENTS if TOPIC_OF[events.FACTS[e.contract]] in READ_TOPICS]


@pytest.mark.parametrize("example", EXAMPLES_READ, ids=examples.name)
def test_no_family_looks_into_facts_it_does_not_say_it_reads(example: examples.Example) -> None:
    """It would never be told of them; what no family reads is read by its envelope alone."""
    told = events.read(example.raw)

    for name in looking(told):
        assert type(told.data) in type(getattr(State(), name)).READS


def test_a_look_into_a_fact_is_noticed() -> None:
    assert {"complaints", "service"} <= looking(complained("o-1", 8).record)  # type: ignore[arg-type]
    assert looking(scanned()) == set()


@pytest.mark.parametrize("example", EXAMPLES_READ, ids=examples.name)
def test_an_event_read_by_its_envelope_says_the_same_about_itself(
    example: examples.Example,
) -> None:
    told = events.read(example.raw)
    topic = TOPIC_OF[type(told.data)]

    found = decode(topic, Raw(example.raw, told.partitionkey.encode()))

    if type(told.data) in READERS:
        assert found == told
    else:
        assert isinstance(found, Envelope)
        for name in Envelope.__struct_fields__:
            assert getattr(found, name) == getattr(told, name)


def test_what_lies_elsewhere_or_under_another_key_is_unreadable_by_its_envelope_too() -> None:
    raw = placed("o-1").record.encode()  # type: ignore[union-attr]

    assert decode(t.CONTACTS, Raw(raw, CUSTOMER.encode())) == Unread("wrong_topic")
    assert decode(t.PURCHASES, Raw(raw, b"somebody")) == Unread("wrong_key")
    assert decode(t.PURCHASES, Raw(raw.replace(b'"id"', b'"ID"'), CUSTOMER.encode())) == Unread(
        "invalid"
    )


def test_content_that_no_figure_needs_is_not_judged_here() -> None:
    raw = scanned(customer=CUSTOMER).encode().replace(b'"carrier":"dhl"', b'"carrier":7')

    assert b'"carrier":7' in raw
    assert isinstance(decode(t.DELIVERIES, Raw(raw, CUSTOMER.encode())), Envelope)


def test_an_event_in_binary_mode_is_read_whole() -> None:
    told = placed("o-1").record
    assert isinstance(told, Event)
    headers = [
        (f"ce_{name}", str(value).encode())
        for name, value in told.model_dump(mode="json", exclude_none=True).items()
        if name not in ("data", "datacontenttype")
    ]

    body = told.data.model_dump_json(exclude_none=True).encode()
    assert decode(t.PURCHASES, Raw(body, CUSTOMER.encode(), headers)) == told


def test_an_event_is_read_as_one() -> None:
    told = complained("o-1", 8).record
    assert isinstance(told, Event)
    raw = Raw(told.encode(), CUSTOMER.encode(), [("content-type", STRUCTURED.encode())])

    assert decode(t.CONTACTS, raw) == told


@pytest.mark.parametrize(
    ("topic", "record"),
    [
        (t.TICKS, Tick(number=3, at=NOON, ends={"contacts": 4})),
        (t.ACCOUNTS, Account(topic="contacts", partition=0, next_offset=4, applied=4)),
        (t.FEEDS, FeedMark(feed="carrier:dhl", partition=0, tick=3, heard_at=NOON, events=4)),
        (t.FEEDS, TickMark(partition=0, tick=3, at=NOON)),
        (
            t.FEEDS,
            FeedSilent(**NOTICE, heard_at=NOON, silent_from=NOON, usual_gap_seconds=0),
        ),
        (t.FEEDS, FeedResumed(**NOTICE, heard_at=NOON, silent_since=NOON)),
    ],
)
def test_plain_records_are_read_by_their_topic(
    topic: Topic, record: Tick | Account | FeedRecord
) -> None:
    assert decode(topic, Raw(record.model_dump_json().encode())) == record


@pytest.mark.parametrize("topic", [t.PROBLEMS, t.OUTREACH])
def test_a_barrier_is_known_by_its_content_type(topic: Topic) -> None:
    assert isinstance(decode(topic, Raw(BARRIER_JSON, None, BARRIER_HEADERS)), Barrier)
    assert decode(topic, Raw(BARRIER_JSON)) == Unread("not_an_event")


def test_nobody_outside_can_move_time_with_a_barrier() -> None:
    assert isinstance(decode(t.CONTACTS, Raw(BARRIER_JSON, None, BARRIER_HEADERS)), Unread)


@pytest.mark.parametrize(
    ("topic", "raw", "reason"),
    [
        (t.CONTACTS, Raw(b"{", b"c-1"), "not_json"),
        (t.CONTACTS, Raw(None, b"c-1"), "empty"),
        (t.PROBLEMS, Raw(b'{"type": "care.unheard.of.v1"}', b"c-1"), "unknown_type"),
        (t.PROBLEMS, Raw(b"{", None, BARRIER_HEADERS), "invalid"),
        (t.TICKS, Raw(b"{"), "invalid"),
        (t.TICKS, Raw(None), "invalid"),
        (t.ACCOUNTS, Raw(b'{"topic": 1}'), "invalid"),
        (t.FEEDS, Raw(b'{"kind": "other"}'), "invalid"),
    ],
)
def test_what_cannot_be_read_says_why(topic: Topic, raw: Raw, reason: str) -> None:
    assert decode(topic, raw) == Unread(reason)


def test_a_tombstone_says_nothing() -> None:
    assert decode(t.ACCOUNTS, Raw(None, b"contacts|0")) is None


def letter_headers(reason: str) -> KafkaHeaders:
    """Return the headers of a dead letter as the kit writes them."""
    return dead_letters.headers_for(
        service="outreach",
        reason=reason,
        detail="",
        topic=t.CONTACTS,
        partition=3,
        offset=17,
        original=[(dead_letters.REASON, b"forged")],
    )


def test_a_dead_letter_is_known_by_the_topic_it_lies_on_and_its_headers() -> None:
    raw = Raw(b"{", b"c-1", letter_headers("not_json"))

    assert decode(t.dead_letter(t.CONTACTS), raw) == DeadLetter(
        "contacts", "not_json", "outreach", "3/17"
    )


@pytest.mark.parametrize("headers", [letter_headers("c-1 wrote something odd"), []])
def test_an_unheard_of_reason_cannot_widen_the_label(headers: KafkaHeaders) -> None:
    letter = decode(t.dead_letter(t.CONTACTS), Raw(None, None, headers))

    assert isinstance(letter, DeadLetter)
    assert letter.reason == OTHER_REASON
