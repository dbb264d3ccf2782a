"""A partition under test: events and ticks go in by hand, what it says comes out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import services.churn_predictor
from services.churn_predictor.exchange import Owners
from services.churn_predictor.outputs import Output
from services.churn_predictor.partition import Partition, Refused
from services.churn_predictor.rules import Model, Rules
from services.churn_predictor.scoring import model_digest, read_scorecard
from services.churn_predictor.silence import Listener, Relays
from services.contracts import events
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.stream import Tick
from services.contracts.topics import Topic
from services.kit.records import read_event
from services.kit.stores import MemoryStore

_MODELS = Path(services.churn_predictor.__file__).parent / "models"


def _shipped(name: str) -> Model:
    raw = (_MODELS / name).read_bytes()
    return Model(read_scorecard(raw), model_digest(raw))


RULES = Rules(_shipped("complaint-risk.json"), _shipped("lapse-risk.json"))
CARD = RULES.complaint.card
_TOPICS = (*t.TICKED, t.TICKS, t.FACTS_CHANGELOG)
TOPIC_IDS = {topic.name: UUID(int=n) for n, topic in enumerate(_TOPICS, 1)}
EVERYTHING_HEARD = {
    "carrier:dhl": datetime.fromisoformat("2100-01-01T00:00:00+00:00"),
    "publisher:/shop/orders": datetime.fromisoformat("2100-01-01T00:00:00+00:00"),
}


@dataclass(frozen=True)
class Record:
    """A Kafka record, made by hand."""

    offset: int
    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp: int = 0


ALONE = Owners(1, lambda key: 0, are_used=False)
"""One partition that tells and asks nothing about others."""


def new_partition(
    committed: Mapping[bytes, bytes] | None = None,
    number: int = 0,
    owners: Owners = ALONE,
    rules: Rules = RULES,
) -> Partition:
    """Return a partition with the shipped scorecard, going on from what was committed."""
    store = MemoryStore()
    store.keep((committed or {}).items(), 0)
    listener = Listener(number, lambda feed: True, rules.tolerances)
    partition = Partition(number, rules, read_event, store, listener, owners)
    partition.take_in(store.items())
    partition.trust(TOPIC_IDS)
    return partition


def commit(partition: Partition) -> dict[bytes, bytes | None]:
    """Commit what changed and return it."""
    store = partition.customers._values
    assert isinstance(store, MemoryStore)
    changes = dict(partition.changes())
    store.keep(changes.items(), 0)
    partition.settle()
    return changes


@dataclass
class Stream:
    """Feeds a partition and keeps the offsets."""

    partition: Partition = field(default_factory=new_partition)
    heard: dict[str, datetime] = field(default_factory=lambda: dict(EVERYTHING_HEARD))
    relays: Relays = frozenset()
    ends: dict[str, int] = field(default_factory=dict)
    number: int = -1
    outputs: list[Output] = field(default_factory=list)
    """Everything that ticks brought."""
    accepted_ms: int = 0
    """The timestamp of the records to come."""

    def __post_init__(self) -> None:
        for topic in (*t.TICKED, t.TICKS):
            self.partition.begin(topic, 0)

    def give(self, *given: Event[Any], now: datetime | None = None) -> list[Refused]:
        """Apply events, each as the next record of its topic."""
        refused = []
        for one in given:
            topic = events.TOPIC_OF[type(one.data)]
            refused += self.give_raw(topic, one.encode(), one.partitionkey.encode(), now)
        return refused

    def give_raw(
        self, topic: Topic, value: bytes | None, key: bytes | None, now: datetime | None = None
    ) -> list[Refused]:
        """Apply any bytes as the next record of this topic."""
        offset = self.ends.get(topic.name, 0)
        self.ends[topic.name] = offset + 1
        return self.partition.apply(
            topic, [Record(offset, value, key, timestamp=self.accepted_ms)], offset + 1, now
        )

    def tick(self, at: datetime, ends: dict[str, int] | None = None) -> list[Output]:
        """Tell the time; return what every tick that became ready brought."""
        self.number += 1
        sources = {topic.name for topic in t.TICKED}
        known = {name: end for name, end in self.ends.items() if name in sources}
        tick = Tick(number=self.number, at=at, ends=known if ends is None else ends, barrier="b")
        self.give_raw(t.TICKS, tick.encode(), None)
        return self.settle()

    def settle(self) -> list[Output]:
        """Let every tick that is ready take effect."""
        outputs: list[Output] = []
        while (tick := self.partition.ready()) is not None:
            known_at = self.partition.state.at
            outputs += self.partition.advance(tick, self.heard, known_at, relays=self.relays)
        self.outputs += outputs
        return outputs

    def said_on(self, topic: Topic) -> list[Event[Any]]:
        """Return every event so far on a topic of risks."""
        return [events.read(each.value) for each in self.outputs if each.topic is topic]

    def tick_said(self, at: datetime) -> list[Event[Any]]:
        """Tell the time; return the problem events it brought."""
        return problems(self.tick(at))


def problems(outputs: Iterable[Output]) -> list[Event[Any]]:
    """Return the events on the problems topic among these outputs."""
    return [
        events.read(output.value)
        for output in outputs
        if output.topic is t.PROBLEMS and output.key is not None
    ]


def said(outputs: Iterable[Event[Any]]) -> list[tuple[str, str, str]]:
    """Return type, kind and tier of problem events, to compare at a glance."""
    return [(e.type.split(".")[2], e.data.kind.value, e.data.tier.value) for e in outputs]
