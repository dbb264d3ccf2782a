"""Kafka shell of a move to more partitions: the predictor's state, and the topics it is the last word of.

What is the predictor's alone is moved in transactions of the partitions' own writers, each of which leaves
every entry in one place; a latest value is copied first and taken away once the broker has the copy.  Killed
anywhere it goes on where it was, and no owner of before can write any more.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer

from services.churn_predictor import letters
from services.churn_predictor.moves import Move, read_move
from services.churn_predictor.relocation import (
    Holding,
    Layout,
    digest_of,
    divided,
    mark_of,
    readdressed,
    together,
    told_apart,
)
from services.churn_predictor.state import PARTITION, PartitionState, partition_key
from services.contracts import topics as t
from services.contracts.access import PREDICTOR_GROUP
from services.contracts.envelope import JSON
from services.contracts.moved import HEADER
from services.contracts.stream import FEED_RECORD
from services.contracts.topics import Topic
from services.kit.batches import batches
from services.kit.changelog import read_on
from services.kit.kafka_clients import close_producer, open_producer, partition_of
from services.kit.progress import Tell
from services.kit.topic_reader import TopicReader
from services.kit.transactions import TransactionalWriter

_AT_ONCE = 1_000
"""Entries moved in one transaction."""
_OPENING = 8
_ACK_SECONDS = 120
_PLAIN = (("content-type", JSON.encode()),)


@dataclass(frozen=True, slots=True)
class Looked:
    """What the changelog held when it was looked at."""

    holdings: Sequence[Holding]
    digest: int
    """Of all customers and histories, wherever they lie."""

    @property
    def states(self) -> dict[int, PartitionState]:
        """Partition → its own state, of those that were ever owned."""
        return {h.number: h.state for h in self.holdings if h.state is not None}

    @property
    def customers(self) -> int:
        """How many customers there are."""
        return sum(holding.customers for holding in self.holdings)

    @property
    def misplaced(self) -> int:
        """How many entries lie where they do not belong."""
        return sum(len(holding.leaving) for holding in self.holdings)

    def unlike(self, layout: Layout) -> list[int]:
        """Return the partitions that do not go on as one of so many, knowing whom their siblings know."""
        shared = {holding.number: set(holding.shared) for holding in self.holdings}
        return [
            number
            for number, state in self.states.items()
            if state.layouts[-1:] != (layout.after,)
            or any(shared[number] != shared[other] for other in layout.siblings(number))
            or any(other not in self.states for other in layout.siblings(number))
        ]

    @property
    def waiting(self) -> int:
        """How many letters between partitions wait for their tick."""
        return sum(len(holding.news) + len(holding.moves) for holding in self.holdings)


class Relocation:
    """One deployment's move to more partitions."""

    def __init__(self, bootstrap: str, prefix: str, layout: Layout) -> None:
        self.layout = layout
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._writers: dict[int, TransactionalWriter] = {}
        self._producer: KafkaProducer | None = None
        self._sent: list[Any] = []
        """What the broker has not yet said it has."""

    def home(self, key: bytes) -> int:
        """Return the partition to which this key belongs after the move."""
        return partition_of(key, self.layout.after)

    def look(self, partitions: int, tell: Tell) -> Looked:
        """Return what lies in these first partitions of the changelog.

        Raises:
            UnknownEntry: something of which this version does not know where it belongs.
            DamagedEntry: something that no version can read.
        """
        holdings, digests = [], []
        for number in range(partitions):
            tell(f"reading the state of partition {number} of {partitions}")
            entries = self._entries(number)
            holdings.append(told_apart(number, entries, self.home))
            settled = ((key, entries[key]) for key in holdings[-1].settled)
            digests.append(digest_of(settled))
        return Looked(holdings, together(digests))

    def take_over(self) -> None:
        """Fence whoever wrote for a partition; nobody but us writes any state from now on."""
        with ThreadPoolExecutor(_OPENING) as pool:
            numbers = range(self.layout.after)
            self._writers = dict(zip(numbers, pool.map(self._open, numbers), strict=True))

    def unread(self, states: Mapping[int, PartitionState]) -> Counter[str]:
        """Return topic → records from outside that the predictor has not applied."""
        return Counter(topic.name for topic, _ in self._unread(states))

    def check_letters(self, states: Mapping[int, PartitionState]) -> None:
        """Read every letter that waits for a partition; raises as `letters.check`."""
        letters.check(self._bootstrap, self._prefix, states)

    def forward_late(self, states: Mapping[int, PartitionState]) -> Counter[str]:
        """Write what was published during the move once more, where its key belongs now; return how much.

        Where it lies it will be set aside as misplaced.
        """
        found: Counter[str] = Counter()
        for topic, record in self._unread(states):
            home = record.partition if record.key is None else self.home(record.key)
            if home != record.partition:
                name = topic.physical(self._prefix)
                self._send(name, home, record.key, record.value, _headers(record))
                found[topic.name] += 1
        self._acknowledged()
        return found

    def _unread(self, states: Mapping[int, PartitionState]) -> Iterator[tuple[Topic, Any]]:
        with closing(self._reader()) as reader:
            for topic in t.PREDICTOR_SOURCES:
                since = {
                    number: state.sources[topic.name].next_offset
                    for number, state in states.items()
                    if topic.name in state.sources
                }
                yield from reader.records([topic], since=since)

    def move_states(self, tell: Tell) -> None:
        """Bring everything in the changelog to where it belongs."""
        for number in range(self.layout.before):
            entries = self._entries(number)
            holding = told_apart(number, entries, self.home)
            if holding.state is not None:
                self._divide(holding, entries, holding.state)
            done, leaving = 0, holding.leaving
            for some in batches(leaving.items(), _AT_ONCE):
                self._carry(number, some, entries)
                done += len(some)
                tell(
                    f"partition {number}: {done:,} of {len(leaving):,} customers and histories moved"
                )

    def move_latest(self, tell: Tell) -> int:
        """Bring the latest values on compacted topics to where their keys belong; return how many."""
        moved = 0
        for topic, place_of in self._compacted():
            for number in range(self.layout.before):
                moved += self._move_latest(topic, number, place_of)
                tell(f"{topic.name}: {moved:,} latest values moved")
        return moved

    def finish(self, states: Mapping[int, PartitionState]) -> None:
        """Let every partition say up to which tick it has said all: from then on workers may go on."""
        writer = self._writers[0]
        name = t.FEEDS.physical(self._prefix)
        for number, state in sorted(states.items()):
            mark = mark_of(number, state)
            if mark is not None:
                value = mark.model_dump_json().encode()
                writer.write(name, number, mark.key.encode(), value, _PLAIN)
        writer.commit()

    def latest_misplaced(self) -> int:
        """Return how many latest values on compacted topics lie where their key does not belong."""
        return sum(
            len(self._leaving(topic, number, place_of))
            for topic, place_of in self._compacted()
            for number in range(self.layout.after)
        )

    def close(self) -> None:
        """Close the producer."""
        if self._producer is not None:
            close_producer(self._producer)

    def _send(
        self,
        name: str,
        partition: int,
        key: bytes,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
    ) -> None:
        """Write outside of transactions: where most of these topics are read, markers are no record."""
        if self._producer is None:
            self._producer = open_producer(self._bootstrap)
        self._sent.append(
            self._producer.send(name, value, key=key, partition=partition, headers=list(headers))
        )

    def _acknowledged(self) -> None:
        """Return once the broker has all that was sent.

        The producer's own `flush` returns as well where a record was refused.

        Raises:
            KafkaError: it refused one, or did not answer.
        """
        sent, self._sent = self._sent, []
        for future in sent:
            future.get(_ACK_SECONDS)

    def _open(self, number: int) -> TransactionalWriter:
        name = f"{self._prefix}{PREDICTOR_GROUP}-{number}"
        return TransactionalWriter(self._bootstrap, name, t.MAX_STATE_BYTES)

    def _reader(self) -> TopicReader:
        # New partitions of topics that were not grown yet do not exist, and the old ones hold everything.
        return TopicReader(self._bootstrap, prefix=self._prefix, partitions=self.layout.before)

    def _entries(self, number: int) -> dict[bytes, bytes]:
        return dict(self._latest(t.FACTS_CHANGELOG, number))

    def _latest(self, topic: Topic, number: int) -> Iterator[tuple[bytes, bytes]]:
        entries: dict[bytes, bytes] = {}
        for stretch in read_on(self._bootstrap, topic.physical(self._prefix), number, None):
            for key, value in stretch.changes:
                if value is None:
                    entries.pop(key, None)
                else:
                    entries[key] = value
        yield from entries.items()

    # The changelog

    def _divide(
        self, holding: Holding, entries: Mapping[bytes, bytes], own: PartitionState
    ) -> None:
        """Write, in one transaction, everything of a partition but its customers and histories."""
        number, writer = holding.number, self._writers[holding.number]
        siblings = self.layout.siblings(number)[1:]
        known = {s: told_apart(s, self._entries(s), self.home).state for s in siblings}
        self._forward(holding, entries, own, writer)
        for key in holding.shared:
            for sibling in siblings:
                writer.write(self._changelog, sibling, key, entries[key])
        for place, state in divided(own, known, self.layout, self.home, number).items():
            value = PARTITION.dump_json(state)
            writer.write(self._changelog, place, partition_key(place), value)
        writer.commit()

    def _forward(
        self,
        holding: Holding,
        entries: Mapping[bytes, bytes],
        own: PartitionState,
        writer: TransactionalWriter,
    ) -> None:
        """Write what is on its way between partitions anew, to whom it belongs now; note it as read."""
        for key in holding.news:
            self._forward_news(entries[key], writer)
        for key in holding.moves:
            self._forward_move(entries[key], writer)
        for key in (*holding.news, *holding.moves):
            writer.write(self._changelog, holding.number, key, None)
        for value in self._taken(t.HISTORIES, holding.number, own):
            self._forward_news(value, writer)
        for value in self._taken(t.MOVES, holding.number, own):
            self._forward_move(value, writer)

    def _forward_news(self, value: bytes | None, writer: TransactionalWriter) -> None:
        name = t.HISTORIES.physical(self._prefix)
        for place, news in readdressed(letters.read_news(value), self.home):
            writer.write(name, place, None, news.encode(), _PLAIN)

    def _forward_move(self, value: bytes | None, writer: TransactionalWriter) -> None:
        move: Move = read_move(value)
        place = self.home(move.customer.encode())
        writer.write(t.MOVES.physical(self._prefix), place, None, move.encode(), _PLAIN)

    def _taken(self, topic: Topic, number: int, own: PartitionState) -> Iterator[bytes | None]:
        """Yield what a partition was sent and has not read, each noted as read."""
        for stretch in letters.unread(self._bootstrap, self._prefix, topic, number, own):
            source = own.sources[topic.name]
            source.reach(stretch.position - len(stretch.changes))
            for _, value in stretch.changes:
                source.take(source.next_offset)
                source.applied += 1
                yield value

    def _carry(
        self, number: int, some: Iterable[tuple[bytes, int]], entries: Mapping[bytes, bytes]
    ) -> None:
        writer = self._writers[number]
        for key, home in some:
            writer.write(self._changelog, home, key, entries[key])
            writer.write(self._changelog, number, key, None)
        writer.commit()

    @property
    def _changelog(self) -> str:
        return t.FACTS_CHANGELOG.physical(self._prefix)

    # Compacted topics

    def _compacted(self) -> Iterator[tuple[Topic, Callable[[bytes], int | None]]]:
        yield t.CUSTOMERS, self.home
        yield t.CUSTOMER_RISKS, lambda key: self.home(key.partition(b"|")[0])
        yield t.FEEDS, self._home_of_notice

    def _home_of_notice(self, key: bytes) -> int | None:
        """Return where the last word on a feed's silence belongs; None: a mark stays where it was made."""
        kind, _, feed = key.partition(b"|")
        return self.home(feed) if kind == b"state" else None

    def _move_latest(
        self, topic: Topic, number: int, place_of: Callable[[bytes], int | None]
    ) -> int:
        """Copy first and take away then: whoever is killed in between has both, and copies once more."""
        name, leaving = topic.physical(self._prefix), self._leaving(topic, number, place_of)
        mark = (HEADER, str(self.layout.after).encode())
        for some in batches(leaving.items(), _AT_ONCE):
            for key, (home, record) in some:
                headers = [*_headers(record), mark]
                self._send(name, home, key, _placed(topic, record.value, home), headers)
            self._acknowledged()
            for key, _ in some:
                self._send(name, number, key, None, [mark])
            self._acknowledged()
        return len(leaving)

    def _leaving(
        self, topic: Topic, number: int, place_of: Callable[[bytes], int | None]
    ) -> dict[bytes, tuple[int, Any]]:
        """Return the keys of this partition that have a value and belong elsewhere, with where and what."""
        found: dict[bytes, tuple[int, Any]] = {}
        reader = TopicReader(self._bootstrap, prefix=self._prefix, partitions=number + 1)
        with closing(reader):
            for _, record in reader.records([topic], only=[number]):
                home = None if record.key is None else place_of(record.key)
                if home is None or home == number:
                    continue
                if record.value is None:
                    found.pop(record.key, None)
                else:
                    found[record.key] = home, record
        return found


def _headers(record: Any) -> list[tuple[str, bytes]]:
    return [(name, content or b"") for name, content in record.headers]


def _placed(topic: Topic, value: bytes, home: int) -> bytes:
    """Return the value as it is to stand in this partition: notices of feeds name their own."""
    if topic is not t.FEEDS:
        return value
    notice = FEED_RECORD.validate_json(value)
    return notice.model_copy(update={"partition": home}).model_dump_json().encode()
