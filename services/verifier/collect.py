"""Takes records in, one by one, and keeps of each what judging needs.  Pure; each is parsed once."""

import math
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from sys import intern
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from services.contracts import events
from services.contracts import topics as t
from services.contracts.envelope import BARRIER, BINARY_PREFIX, CustomerId, Event, compose
from services.contracts.events import Unreadable
from services.contracts.outreach import Mode, OutreachDecided
from services.contracts.people import CustomerErased, CustomerMerged
from services.contracts.problems import RiskAssessed
from services.contracts.stream import (
    FEED_RECORD,
    Account,
    Barrier,
    FeedMark,
    FeedResumed,
    FeedSilent,
    HistoryNews,
    Tick,
)
from services.contracts.topics import Topic
from services.contracts.trace_context import TRACEPARENT, TRACESTATE
from services.verifier.evidence import (
    Assessment,
    Attempted,
    Evidence,
    Extent,
    Headers,
    Letter,
    Named,
    PartitionEvidence,
    Record,
    Stamp,
    Told,
    Unread,
    as_json,
)
from services.verifier.says import carrier_heard, is_scan, says, voice

SOURCES = (*t.OUTSIDE, t.TICKS, *t.INTERNAL)
"""Topics whose every record must be accounted for."""

TOPICS: tuple[Topic, ...] = (
    *SOURCES,
    t.PROBLEMS,
    t.ASSESSMENTS,
    t.CUSTOMER_RISKS,
    t.FEEDS,
    t.ACCOUNTS,
    t.OUTREACH,
    t.FACTS_CHANGELOG,
    *(t.dead_letter(topic) for topic in SOURCES),
)
"""What the verifier reads."""

ACCURACY = 1e-9
"""How far the parts of an assessment may be from its log-odds."""

_LETTER = "care-dead-letter-"
_LETTER_TOPICS = {t.dead_letter(topic).name for topic in SOURCES}
_CUSTOMER: TypeAdapter[str] = TypeAdapter(CustomerId)


class _Move(BaseModel):
    """What of a customer on its way to another partition is looked at."""

    partition: int
    tick: int
    customer: CustomerId


class Collector:
    """Holds the evidence of one deployment while it is being read."""

    def __init__(self, partitions: int) -> None:
        """Know nothing yet of so many partitions."""
        self.evidence = Evidence([PartitionEvidence() for _ in range(partitions)])
        self._takers: Mapping[str, Callable[[PartitionEvidence, Record], None]] = {
            **{topic.name: _take_event for topic in t.PREDICTOR_SOURCES},
            **{topic.name: _take_profile for topic in t.PERSONAL},
            **dict.fromkeys(_LETTER_TOPICS, _take_letter),
            t.TICKS.name: _take_tick,
            t.HISTORIES.name: _take_news,
            t.MOVES.name: _take_move,
            t.FACTS_CHANGELOG.name: _take_change,
            t.PROBLEMS.name: _take_problem,
            t.ASSESSMENTS.name: _take_assessment,
            t.CUSTOMER_RISKS.name: _take_risk,
            t.FEEDS.name: _take_mark,
            t.ACCOUNTS.name: _take_account,
            t.OUTREACH.name: _take_outreach,
        }
        self._sources = {topic.name for topic in SOURCES}

    def begins(self, topic: str, partition: int, offset: int) -> None:
        """Note where a source partition begins now."""
        if topic in self._sources:
            _extent(self.evidence.partitions[partition], topic).begins_at = offset

    def take(self, record: Record) -> None:
        """Keep what is needed of one record; each partition's come in the order of their offsets."""
        kept = self.evidence.partitions[record.partition]
        if record.topic in self._sources:
            _extent(kept, record.topic).offsets.append(record.offset)
        try:
            self._takers[record.topic](kept, record)
        except (Unreadable, ValidationError) as error:
            if record.topic in self._sources:
                reason = error.reason if isinstance(error, Unreadable) else "invalid"
                kept.unread.append(Unread(record.topic, record.offset, reason))
            else:
                kept.unreadable_outputs.append(
                    f"{record.topic}-{record.partition}@{record.offset} cannot be read"
                )


def collect(records: Iterable[Record], partitions: int) -> Evidence:
    """Return the evidence of these records."""
    collector = Collector(partitions)
    for record in records:
        collector.take(record)
    return collector.evidence


def digest(value: bytes) -> str:
    """Return a short name of these bytes."""
    return blake2b(value, digest_size=16).hexdigest()


def _digest_of(record: Record) -> str:
    """Return a short name of what a record says and of the trace it is in: neither may depend on the run."""
    trace = [value or b"" for name, value in record.headers if name in {TRACEPARENT, TRACESTATE}]
    return digest(b"\x00".join((record.value or b"", *trace)))


def _extent(kept: PartitionEvidence, topic: str) -> Extent:
    return kept.extents.setdefault(topic, Extent())


def _read(record: Record) -> Event[Any]:
    """Return the event in a record of a topic of events, in structured or in binary mode."""
    if record.value is None:
        raise Unreadable("empty")
    event = events.read(_structured(record.value, record.headers))
    if events.TOPIC_OF[type(event.data)].name != record.topic:
        raise Unreadable("wrong_topic")
    if event.partitionkey.encode() != record.key:
        raise Unreadable("wrong_key")
    return event


def _structured(value: bytes, headers: Headers) -> bytes:
    binary = {
        name[len(BINARY_PREFIX) :]: (text or b"").decode("utf-8", "replace")
        for name, text in headers
        if name.startswith(BINARY_PREFIX)
    }
    if "type" not in binary:
        return value
    try:
        return compose(binary, value)
    except ValueError:
        raise Unreadable("not_json") from None


def _is_barrier(record: Record) -> bool:
    return any(name == "content-type" and v == BARRIER.encode() for name, v in record.headers)


def _take_event(kept: PartitionEvidence, record: Record) -> None:
    event = _read(record)
    if isinstance(event.data, CustomerMerged):
        kept.renamed |= {event.partitionkey, event.data.into}
    elif isinstance(event.data, CustomerErased):
        kept.renamed.add(event.partitionkey)
    stamp = Stamp(event.time, intern(event.source), event.id)
    kept.told.append(
        Told(
            record.topic,
            record.offset,
            intern(event.partitionkey),
            stamp,
            says(event.data),
            carrier_heard(event.data),
            is_scan(event.data),
            voice(event.data),
        )
    )


def _take_profile(kept: PartitionEvidence, record: Record) -> None:
    if record.topic == t.CUSTOMERS.name and record.value is None and record.key:
        _CUSTOMER.validate_python(record.key.decode("utf-8", "replace"))
        return
    kept.profiles.append((record.topic, record.offset, _read(record).time))


def _take_letter(kept: PartitionEvidence, record: Record) -> None:
    said = {n: (v or b"").decode("utf-8", "replace") for n, v in record.headers}
    try:
        origin, offset = said[f"{_LETTER}topic"], int(said[f"{_LETTER}offset"])
        partition, service = int(said[f"{_LETTER}partition"]), said[f"{_LETTER}service"]
    except (KeyError, ValueError):
        raise Unreadable("no_origin") from None
    if partition != record.partition:
        raise Unreadable("wrong_partition")
    letter = Letter(service, origin, offset)
    kept.letters.setdefault(letter, []).append(said.get(f"{_LETTER}reason", ""))


def _take_tick(kept: PartitionEvidence, record: Record) -> None:
    kept.ticks.append(Tick.model_validate_json(record.value or b""))


def _take_news(kept: PartitionEvidence, record: Record) -> None:
    HistoryNews.model_validate_json(record.value or b"")
    kept.between[record.topic] += 1


def _take_move(kept: PartitionEvidence, record: Record) -> None:
    _Move.model_validate_json(record.value or b"")
    kept.between[record.topic] += 1


def _take_change(kept: PartitionEvidence, record: Record) -> None:
    key = record.key or b""
    if record.value is None:
        kept.changelog.pop(key, None)
    else:
        kept.changelog[key] = record.value


def _take_problem(kept: PartitionEvidence, record: Record) -> None:
    if _is_barrier(record):
        kept.problems.append(Barrier.model_validate_json(record.value or b""))
        return
    event = _read(record)
    kept.problems.append(event)
    kept.outputs.append(_named(record, event))


def _named(record: Record, event: Event[Any]) -> Named:
    return Named(record.topic, event.partitionkey, event.id, _digest_of(record))


def _take_assessment(kept: PartitionEvidence, record: Record) -> None:
    event = _read(record)
    fact: RiskAssessed = event.data
    name = _named(record, event)
    kept.outputs.append(name)
    kept.assessments.append(
        Assessment(
            id=event.id,
            source=event.source,
            customer=intern(event.partitionkey),
            kind=fact.kind,
            subject=intern(fact.subject),
            order_id=fact.order_id and intern(fact.order_id),
            point=fact.decision_point,
            at=event.time,
            as_of=fact.as_of,
            tick=fact.tick,
            revision=fact.revision,
            probability=fact.probability,
            band=fact.band,
            adds_up=_adds_up(fact),
            digest=name.digest,
            feed=as_json(fact.feed),
        )
    )


def _adds_up(fact: RiskAssessed) -> bool:
    """Whether intercept and contributions give the probability, and those of expected purchases them.

    Asked on the probability's side, where a certain customer's log-odds cannot lose its digits.
    """
    log_odds = math.fsum([fact.intercept_log_odds, *(c.log_odds for c in fact.contributions)])
    implied = 0.5 * (1.0 + math.tanh(log_odds / 2))
    allowed = ACCURACY * fact.probability * (1 - fact.probability) + 1e-15
    return abs(implied - fact.probability) <= allowed and _expectation_adds_up(fact)


def _expectation_adds_up(fact: RiskAssessed) -> bool:
    parts, horizon = fact.expected_contributions, fact.horizon_days
    if fact.expected_intercept is None:
        # None is told, or it is from before the intercept was.
        return True
    if fact.expected_purchases is None or parts is None or horizon is None:
        return False
    logarithm = math.fsum([fact.expected_intercept, *(part.log_odds for part in parts)])
    implied = min(math.exp(min(logarithm, 700.0)), horizon)
    return math.isclose(implied, fact.expected_purchases, rel_tol=ACCURACY)


def _key(record: Record) -> str:
    return (record.key or b"").decode("utf-8", "replace")


def _take_risk(kept: PartitionEvidence, record: Record) -> None:
    name = _key(record)
    if record.value is None:
        kept.risks.pop(name, None)
    else:
        kept.risks[name] = _digest_of(record)


def _take_mark(kept: PartitionEvidence, record: Record) -> None:
    if record.value is None:
        if (place := FeedMark.place_of(_key(record))) is not None:
            kept.feeds.pop(place[0], None)
        return
    mark = FEED_RECORD.validate_json(record.value)
    if mark.partition != record.partition:
        raise Unreadable("wrong_partition")
    if isinstance(mark, FeedMark):
        kept.feeds[mark.feed] = mark
    elif isinstance(mark, FeedSilent | FeedResumed):
        kept.notices.append(mark)


def _take_account(kept: PartitionEvidence, record: Record) -> None:
    if record.value is None:
        topic = _key(record).rpartition("|")[0]
        kept.accounts.pop(topic, None)
        return
    account = Account.model_validate_json(record.value)
    if account.partition != record.partition:
        raise Unreadable("wrong_partition")
    kept.accounts[account.topic] = account


def _take_outreach(kept: PartitionEvidence, record: Record) -> None:
    if _is_barrier(record):
        kept.echoes.append(Barrier.model_validate_json(record.value or b""))
        return
    event = _read(record)
    fact, name = event.data, _named(record, event)
    is_decision = isinstance(fact, OutreachDecided)
    kept.outputs.append(name)
    kept.attempts.append(
        Attempted(
            type=event.type,
            id=event.id,
            customer=event.partitionkey,
            at=event.time,
            step_id=str(fact.step_id),
            problem_id=str(fact.problem_id),
            playbook=fact.playbook,
            step=fact.step,
            attempt=getattr(fact, "attempt", 0),
            outcome=fact.outcome.value if is_decision else None,
            is_live=is_decision and fact.mode is not Mode.SHADOW,
            deferred_until=fact.deferred_until if is_decision else None,
            digest=name.digest,
        )
    )
