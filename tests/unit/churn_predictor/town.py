"""Several partitions in lockstep, that tell each other histories and customers over topics made by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.churn_predictor import state as st
from services.churn_predictor.exchange import Owners
from services.churn_predictor.histories import KeyHistory
from services.churn_predictor.outputs import Output
from services.churn_predictor.state import CustomerState
from services.contracts import topics as t
from services.contracts.envelope import Event
from services.contracts.stream import Barrier, HistoryNews
from tests.unit.churn_predictor.stream import Stream, commit, new_partition

PARTITIONS = 2


def owner(name: str) -> int:
    """Return the partition of a customer or of a key here: any fixed rule will do."""
    return sum(name.encode()) % PARTITIONS


OWNERS = Owners(PARTITIONS, owner)
UNUSED = replace(OWNERS, are_used=False)
"""As long as the model looks at no history."""


@dataclass
class Town:
    """What is written at a tick lies on the topic of its target until that reads on."""

    owners: Owners = OWNERS
    streams: list[Stream] = field(default_factory=list)
    topics: dict[str, list[list[bytes]]] = field(
        default_factory=lambda: {x.name: [[] for _ in range(PARTITIONS)] for x in t.INTERNAL}
    )
    said: list[list[Output]] = field(default_factory=lambda: [[] for _ in range(PARTITIONS)])
    """What each partition said to others than partitions, over all ticks."""
    barriers: list[Barrier] = field(default_factory=list)
    """Of the last tick."""
    store: list[dict[bytes, bytes | None]] = field(
        default_factory=lambda: [{} for _ in range(PARTITIONS)]
    )

    def __post_init__(self) -> None:
        for number in range(PARTITIONS):
            self.streams.append(Stream(new_partition(number=number, owners=self.owners)))

    def give(self, *events: Event[Any]) -> None:
        """Publish events, each to its customer's partition."""
        for event in events:
            self.streams[owner(event.partitionkey)].give(event)

    def read_on(self, number: int, ends: dict[str, int] | None = None) -> None:
        """Let this partition read what lies on the topics for it, up to `ends`."""
        for topic in t.INTERNAL:
            known = self.streams[number].ends.get(topic.name, 0)
            end = None if ends is None else ends[topic.name]
            for value in self.topics[topic.name][number][known:end]:
                self.streams[number].give_raw(topic, value, None)

    def tick(
        self, at: datetime, first: int = 0, overtakes: bool = False, restarts: bool = False
    ) -> None:
        """Tell the time everywhere.

        Args:
            at: What time it is.
            first: The partition that comes first; the others follow by number.
            overtakes: Whether what it says then is read by the others before their own tick.
            restarts: Whether each partition goes on from what was committed, before and after.
        """
        ends = [
            {name: len(values[number]) for name, values in self.topics.items()}
            for number in range(PARTITIONS)
        ]
        self.barriers = []
        for number in ((n + first) % PARTITIONS for n in range(PARTITIONS)):
            if overtakes:
                self.read_on(number)
            self._restart(number, restarts)
            if not overtakes:
                self.read_on(number, ends[number])
            self._restart(number, restarts)
            stream = self.streams[number]
            reached = stream.ends | ends[number]
            for output in stream.tick(at, ends=dict(sorted(reached.items()))):
                self._take(number, output)
            self._restart(number, restarts)

    def _take(self, number: int, output: Output) -> None:
        if output.topic in t.INTERNAL:
            assert output.partition is not None
            self.topics[output.topic.name][output.partition].append(output.value)
            return
        self.said[number].append(output)
        if output.topic is t.PROBLEMS and output.key is None:
            self.barriers.append(Barrier.model_validate_json(output.value))

    def _restart(self, number: int, restarts: bool) -> None:
        old = self.streams[number]
        if restarts:
            self.store[number] |= commit(old.partition)
            kept = {k: v for k, v in self.store[number].items() if v is not None}
            new = new_partition(kept, number, self.owners)
            self.streams[number] = Stream(new, ends=old.ends, number=old.number)

    def renew(self, number: int, owners: Owners) -> None:
        """Let another worker with this setting take over a partition."""
        self.owners = owners
        self._restart(number, restarts=True)

    def customer(self, customer_id: str) -> CustomerState:
        """Return what is known of somebody."""
        found = self.streams[owner(customer_id)].partition.customers.get(customer_id)
        assert found is not None
        return found

    def key(self, name: str) -> KeyHistory | None:
        """Return what is counted for a key."""
        return self.streams[owner(name)].partition.exchange.keys.get(name)

    def news(self) -> Sequence[HistoryNews]:
        """Return everything that was ever told, asked and answered."""
        return [
            HistoryNews.model_validate_json(v)
            for of_one in self.topics[t.HISTORIES.name]
            for v in of_one
        ]

    def everything(self, customers: Sequence[str], keys: Sequence[str]) -> Any:
        """Return what was said and what is known, to compare two towns."""
        states = [st.CUSTOMER.dump_json(self.customer(each)) for each in customers]
        said = [[(o.topic.name, o.key, o.value) for o in out] for out in self.said]
        accounts = t.ACCOUNTS.name
        return (
            states,
            [self.key(k) for k in keys],
            [[each for each in of_one if each[0] != accounts] for of_one in said],
        )
