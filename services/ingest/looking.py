"""Looks for one event on the topics, within a budget.  A process of its own: it lives for one question.

The Kafka client decodes records in Python: beside the event loop, in a thread, it would hold up those
who publish.  Asks on standard input, answers on standard output, both JSON; nothing of an event but
its ids, places and times leaves it.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from pydantic import BaseModel, ValidationError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from services.contracts.envelope import BINARY_PREFIX, Contract, Instant
from services.contracts.stream import Account
from services.contracts.topics import (
    ACCOUNTS,
    DEAD_LETTERS,
    PREDICTOR_SOURCES,
    Topic,
    by_name,
    dead_letter,
)
from services.ingest.fate import CLOCK_SKEW, Counted, Evidence, Found, Letter, RecordFate, fates
from services.kit import dead_letters, exits, logs
from services.kit.clock import monotonic
from services.kit.dead_letters import read_header
from services.kit.kafka_clients import end_offsets, open_consumer, reaching

_NICENESS = 19
_SHARE_FOR_EVENTS = 0.7
"""Of the time; the rest is for what became of them."""
_POLL_MS = 200
_POLL_RECORDS = 2_000
_MOST_FOUND = 100
"""Records of one event that are told; whoever has repeated it more often knows."""


class Question(BaseModel):
    """What to look for, and how far."""

    bootstrap: str
    prefix: str
    partitions: int
    simulated: bool
    source: str
    id: str
    topics: list[str]
    partition: int | None
    """Where it lies, if that is known."""
    since: Instant
    """Records written before this are passed over."""
    seconds: float
    records: int


class Report(BaseModel):
    """What was found, and how far it was looked."""

    records: list[RecordFate]
    read: int
    """Records of those topics that were looked at."""
    is_complete: bool
    """Whether everything that was asked for was looked through."""


class _Head(Contract):
    """What an event is told apart by."""

    id: str
    source: str
    partitionkey: str
    time: Instant


@dataclass(slots=True)
class _Budget:
    """What may still be spent on one reading."""

    until: float
    records: int
    spent: int = 0

    @property
    def is_over(self) -> bool:
        return self.spent >= self.records or monotonic() > self.until


@dataclass(slots=True)
class _Log:
    """Reads topics of one deployment from a time on."""

    consumer: KafkaConsumer
    partitions: int
    is_cut_short: bool = False
    """Whether a budget was over before the end."""

    def read(
        self,
        places: Sequence[TopicPartition],
        since: datetime,
        budget: _Budget,
        is_enough: Callable[[], bool] = lambda: False,
    ) -> Iterator[Any]:
        """Yield the records written since then, up to where the topics end now."""
        spans = self._spans(places, since)
        self.consumer.assign(list(spans))
        for place, (begin, _) in spans.items():
            self.consumer.seek(place, begin)
        while self._is_left(spans) and not is_enough():
            if budget.is_over:
                self.is_cut_short = True
                return
            polled = self.consumer.poll(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)
            for place, records in polled.items():
                budget.spent += len(records)
                yield from (each for each in records if each.offset < spans[place][1])

    def _spans(
        self, places: Sequence[TopicPartition], since: datetime
    ) -> Mapping[TopicPartition, tuple[int, int]]:
        # kafka-python leaves out partitions whose leader it does not know yet, see `end_offsets`.
        again = Retrying(
            retry=retry_if_exception_type(KeyError),
            wait=wait_fixed(0.05),
            stop=stop_after_delay(5),
            reraise=True,
        )
        milliseconds = int(since.timestamp() * 1000)
        begins = again(self._begins, places, milliseconds)
        ends = end_offsets(self.consumer, {place.topic for place in places}, self.partitions)
        spans = {p: (begins[p], ends[p.topic][p.partition]) for p in places if p in begins}
        return {place: (begin, end) for place, (begin, end) in spans.items() if begin < end}

    def _begins(
        self, places: Sequence[TopicPartition], milliseconds: int
    ) -> dict[TopicPartition, int]:
        found = self.consumer.offsets_for_times(dict.fromkeys(places, milliseconds))
        return {place: found[place].offset for place in places if found[place] is not None}

    def _is_left(self, spans: Mapping[TopicPartition, tuple[int, int]]) -> bool:
        return any(self.consumer.position(place) < end for place, (_, end) in spans.items())


@dataclass(slots=True)
class _Look:
    """One question being answered."""

    question: Question
    log: _Log
    deadline: float
    found: list[Found] = field(default_factory=list)

    def report(self) -> Report:
        """Return the answer."""
        budget = self._budget(self.question.seconds * (1 - _SHARE_FOR_EVENTS))
        for record in self.log.read(self._places(), self.question.since, budget):
            self._match(record)
        is_complete = not self.log.is_cut_short and len(self.found) <= _MOST_FOUND
        del self.found[_MOST_FOUND:]
        evidence = self._evidence() if self.found else Evidence()
        return Report(
            records=fates(evidence, simulated=self.question.simulated),
            read=budget.spent,
            is_complete=is_complete,
        )

    def _budget(self, left_over: float) -> _Budget:
        return _Budget(self.deadline - left_over, self.question.records)

    def _places(self) -> list[TopicPartition]:
        topics = [by_name(name) for name in self.question.topics]
        partition = self.question.partition
        numbers = range(self.question.partitions) if partition is None else (partition,)
        return [self._place(topic, number) for topic in topics for number in numbers]

    def _place(self, topic: Topic, number: int) -> TopicPartition:
        return TopicPartition(topic.physical(self.question.prefix), number)

    def _match(self, record: Any) -> None:
        head = _head_of(record)
        if head is None or (head.source, head.id) != (self.question.source, self.question.id):
            return
        topic = by_name(record.topic.removeprefix(self.question.prefix))
        place = topic, record.partition, record.offset
        self.found.append(Found(*place, _moment(record), head.partitionkey, head.time))

    def _evidence(self) -> Evidence:
        self.log.is_cut_short = False
        since = min(found.written_at for found in self.found) - CLOCK_SKEW
        letters = list(self._letters(since))
        accounts = list(self._accounts(since))
        return Evidence(self.found, letters, accounts, is_whole=not self.log.is_cut_short)

    def _letters(self, since: datetime) -> Iterator[Letter]:
        topics = {(dead_letter(f.topic), f.partition) for f in self.found}
        places = [self._place(topic, n) for topic, n in topics if topic in DEAD_LETTERS]
        for record in self.log.read(places, since, self._budget(0)):
            letter = _letter_of(record)
            if letter is not None:
                yield letter

    def _accounts(self, since: datetime) -> Iterator[Counted]:
        """Yield accounts until every record found is passed."""
        wanted = [found for found in self.found if found.topic in PREDICTOR_SOURCES]
        reached: dict[tuple[str, int], int] = {}

        def are_passed() -> bool:
            return all(reached.get((f.topic.name, f.partition), 0) > f.offset for f in wanted)

        places = [self._place(ACCOUNTS, number) for number in {f.partition for f in wanted}]
        for record in self.log.read(places, since, self._budget(0), are_passed):
            if record.value is not None:
                account = Account.model_validate_json(record.value)
                reached[account.topic, account.partition] = account.next_offset
                yield Counted(account, _moment(record))


def look(question: Question) -> Report:
    """Return what the topics say.

    Raises:
        Unavailable: no broker answers.
    """
    deadline = monotonic() + question.seconds
    consumer = open_consumer(question.bootstrap, fetch_max_wait_ms=50)
    try:
        with reaching(question.bootstrap):
            return _Look(question, _Log(consumer, question.partitions), deadline).report()
    finally:
        consumer.close()


def _head_of(record: Any) -> _Head | None:
    attributes = {
        name.removeprefix(BINARY_PREFIX): (content or b"").decode("utf-8", "replace")
        for name, content in record.headers
        if name.startswith(BINARY_PREFIX)
    }
    try:
        if "type" in attributes:
            return _Head.model_validate_strings(attributes)
        return None if record.value is None else _Head.model_validate_json(record.value)
    except ValidationError:
        return None


def _letter_of(record: Any) -> Letter | None:
    names = (
        dead_letters.TOPIC,
        dead_letters.PARTITION,
        dead_letters.OFFSET,
        dead_letters.SERVICE,
        dead_letters.REASON,
    )
    topic, partition, offset, service, reason = (read_header(record.headers, n) for n in names)
    try:
        return Letter(
            topic or "", int(partition or ""), int(offset or ""), service or "", reason or ""
        )
    except ValueError:
        return None


def _moment(record: Any) -> datetime:
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)


def main() -> None:
    """Answer one question and end."""
    os.nice(_NICENESS)
    logs.set_up("ingest-look", "json", "error")
    question = Question.model_validate_json(sys.stdin.buffer.read())
    sys.stdout.write(look(question).model_dump_json())


if __name__ == "__main__":
    exits.run(main)
