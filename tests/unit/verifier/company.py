"""A company in memory: the predictor's core over two partitions in lockstep, and all that lies on the topics.

The verifier shares nothing with what is at work here, so that they agree shows something.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.churn_predictor.exchange import Owners
from services.churn_predictor.heard_feeds import HeardFeeds
from services.churn_predictor.outputs import Output
from services.churn_predictor.partition import Partition, Refused
from services.churn_predictor.silence import Listener
from services.contracts import topics as t
from services.contracts.envelope import BARRIER, Event
from services.contracts.events import TOPIC_OF, Unreadable
from services.contracts.ids import derive, step_id
from services.contracts.outreach import (
    GateVerdict,
    Mode,
    Outcome,
    OutreachDecided,
    OutreachSent,
    OutreachStarted,
)
from services.contracts.people import Channel, MessageClass
from services.contracts.problems import Tier
from services.contracts.stream import Barrier, Tick
from services.contracts.topics import Topic
from services.kit import dead_letters, kafka_clients
from services.kit.records import read_event
from services.kit.stores import MemoryStore
from services.verifier.evidence import Record
from tests.factories import event as envelope
from tests.unit.churn_predictor.stream import RULES, TOPIC_IDS
from tests.unit.churn_predictor.stream import Record as ReadRecord

PARTITIONS = 2
SOURCES = (*t.TICKED, t.TICKS)
PLAYBOOK, STEP = "delivery_late", "notice"


def partition_of(customer: str) -> int:
    """Return the partition number of a customer here: any fixed rule will do."""
    return sum(customer.encode()) % PARTITIONS


def _listener(number: int) -> Listener:
    def owns(feed: str) -> bool:
        return kafka_clients.partition_of(feed.encode(), PARTITIONS) == number

    return Listener(number, owns, RULES.tolerances)


@dataclass
class Company:
    """Everything on the topics, and the predictor that put its part there."""

    records: list[Record] = field(default_factory=list)
    mails: list[tuple[str, str]] = field(default_factory=list)
    number: int = -1
    at: datetime | None = None

    def __post_init__(self) -> None:
        self._stores = [MemoryStore() for _ in range(PARTITIONS)]
        self._partitions = [
            Partition(
                n,
                RULES,
                read_event,
                self._stores[n],
                _listener(n),
                Owners(PARTITIONS, partition_of),
            )
            for n in range(PARTITIONS)
        ]
        for partition in self._partitions:
            partition.trust(TOPIC_IDS)
            for topic in SOURCES:
                partition.begin(topic, 0)
        self._ends: dict[tuple[str, int], int] = {}
        self._heard = HeardFeeds(PARTITIONS)
        self._for_outreach: list[tuple[Topic, Record]] = []

    def tell(self, *events: Event[Any]) -> None:
        """Publish events and let the predictor apply them."""
        for one in events:
            self.put(TOPIC_OF[type(one.data)], one.encode(), one.partitionkey)

    def put(self, topic: Topic, value: bytes | None, customer: str) -> Record:
        """Publish any bytes under a customer's key, and let the predictor apply them."""
        record = self._append(topic, partition_of(customer), customer.encode(), value)
        if topic in (t.CONTACTS, *t.PERSONAL):
            self._for_outreach.append((topic, record))
        if topic in t.PREDICTOR_SOURCES:
            self._apply(topic, record)
        return record

    def tick(self, at: datetime) -> None:
        """Tell the time to every partition; let it take effect, and outreach follow."""
        self.number, self.at = self.number + 1, at
        for number, partition in enumerate(self._partitions):
            sources = (*t.OUTSIDE, *t.INTERNAL)
            ends = {x.name: self._ends.get((x.name, number), 0) for x in sources}
            tick = Tick(number=self.number, at=at, ends=ends, barrier=f"b-{self.number}")
            self._apply(t.TICKS, self._append(t.TICKS, number, None, tick.encode()))
            assert partition.ready() is not None
        self._put_aside(at)
        before = self.number - 1
        heard, known_at = self._heard.as_of(before), self._heard.known_at(before)
        relays = self._heard.relays(before, heard)
        outputs = [
            list(partition.advance(ready, heard, known_at, relays=relays))
            for partition in self._partitions
            if (ready := partition.ready()) is not None
        ]
        for number, said in enumerate(outputs):
            self._say(number, said)
            self._commit(number)

    def _put_aside(self, at: datetime) -> None:
        """What outreach cannot read of this step becomes its dead letter."""
        for topic, record in self._for_outreach:
            try:
                event = read_event(topic, record.key, record.value, record.headers)
                is_refused = event.time > at + t.MAX_FUTURE_SKEW
            except Unreadable:
                is_refused = True
            if is_refused:
                self._dead_letter(
                    record, Refused(topic, _as_read(record), "refused", ""), "outreach"
                )
        self._for_outreach.clear()

    def _apply(self, topic: Topic, record: Record) -> None:
        partition = self._partitions[record.partition]
        now = partition.state.at
        for letter in partition.apply(topic, [_as_read(record)], record.offset + 1, now):
            self._dead_letter(record, letter)
        self._commit(record.partition)

    def _dead_letter(
        self, record: Record, letter: Refused, service: str = "churn-predictor"
    ) -> None:
        headers = dead_letters.headers_for(
            service=service,
            reason=letter.reason,
            detail=letter.detail,
            topic=letter.topic,
            partition=record.partition,
            offset=record.offset,
        )
        dlq = t.dead_letter(letter.topic)
        self._append(dlq, record.partition, record.key, record.value, tuple(headers))

    def _commit(self, number: int) -> None:
        partition = self._partitions[number]
        changes = list(partition.changes())
        self._stores[number].keep(changes, 0)
        partition.settle()
        for key, value in changes:
            self._append(t.FACTS_CHANGELOG, number, key, value)

    def _say(self, number: int, said: Iterable[Output]) -> None:
        for output in said:
            headers = output.headers
            place = number if output.partition is None else output.partition
            value = output.record_value
            record = self._append(output.topic, place, output.key, value, headers)
            if output.topic in t.INTERNAL:
                self._apply(output.topic, record)
            if output.topic is t.FEEDS:
                self._heard.keep(output.key or b"", value)
            if output.topic is t.PROBLEMS and output.key is not None:
                self._reach_out(number, read_event(output.topic, output.key, output.value, ()))
            if output.content_type == BARRIER:
                self._append(t.OUTREACH, number, None, output.value, headers)

    def _reach_out(self, number: int, event: Event[Any]) -> None:
        """Write at once to whoever has a late parcel."""
        if event.data.tier is not Tier.LATE or "cleared" in event.type:
            return
        for fact, name in attempts(event.data.problem_id):
            word = envelope(fact, at=event.time, customer=event.partitionkey, event_id=str(name))
            self._append(t.OUTREACH, number, event.partitionkey.encode(), word.encode())
        self.mails.append((str(event.data.problem_id), f"{PLAYBOOK}/{STEP}"))

    def _append(
        self,
        topic: Topic,
        number: int,
        key: bytes | None,
        value: bytes | None,
        headers: tuple[tuple[str, bytes | None], ...] = (),
    ) -> Record:
        offset = self._ends.get((topic.name, number), 0)
        self._ends[topic.name, number] = offset + 1
        record = Record(topic.name, number, offset, key, value, headers)
        self.records.append(record)
        return record


def attempts(problem: Any) -> Iterable[tuple[Any, Any]]:
    """Yield what outreach says of a contact that goes well, with each word's id."""
    name = step_id(problem, PLAYBOOK, STEP)
    about = {"step_id": name, "problem_id": problem, "playbook": PLAYBOOK, "step": STEP}
    about |= {"playbook_version": 1, "channel": Channel.EMAIL}
    decided = OutreachDecided(
        **about,
        decision_id=derive("decision", str(name)),
        outcome=Outcome.CONTACT,
        mode=Mode.LIVE,
        message_class=MessageClass.SERVICE,
        gates=(GateVerdict(gate="open", passed=True, rule="open/1", because="it is"),),
    )
    yield decided, decided.decision_id
    yield OutreachStarted(**about), derive("started", str(name))
    yield OutreachSent(**about), derive("sent", str(name))


# How evidence is spoiled.


def _as_read(record: Record) -> ReadRecord:
    """Return the record as a consumer of the topic has it."""
    return ReadRecord(record.offset, record.value, record.key, record.headers)


def of(records: Sequence[Record], topic: Topic, words: str = "") -> list[Record]:
    """Return the records of a topic whose value holds these words; barriers only by asking."""
    return [
        record
        for record in records
        if record.topic == topic.name
        and words.encode() in (record.value or b"")
        and (words or ("content-type", BARRIER.encode()) not in record.headers)
    ]


def without(records: Sequence[Record], *gone: Record) -> list[Record]:
    """Return all records but these."""
    return [record for record in records if record not in gone]


def instead(records: Sequence[Record], old: Record, **fields: Any) -> list[Record]:
    """Return the records with one changed in its JSON: `a__b` is the field b inside a."""
    value = json.loads(old.value or b"{}")
    for name, change in fields.items():
        *path, last = name.split("__")
        inside = value
        for part in path:
            inside = inside[int(part) if part.isdigit() else part]
        inside[last] = change(inside.get(last)) if callable(change) else change
    new = replace(old, value=json.dumps(value).encode())
    return [new if record == old else record for record in records]


def again(records: Sequence[Record], old: Record) -> list[Record]:
    """Return the records with one written twice."""
    after = [r for r in records if (r.topic, r.partition) == (old.topic, old.partition)]
    return [*records, replace(old, offset=after[-1].offset + 1)]


def latest(records: Sequence[Record], topic: Topic, key: str) -> Record:
    """Return the latest record of a key."""
    return [r for r in of(records, topic) if r.key == key.encode()][-1]


def barrier_of(records: Sequence[Record], topic: Topic, name: str) -> Record:
    """Return a barrier's first record on a topic."""
    return next(
        r
        for r in records
        if r.topic == topic.name
        and ("content-type", BARRIER.encode()) in r.headers
        and Barrier.model_validate_json(r.value or b"").barrier == name
    )
