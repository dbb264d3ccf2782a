"""What every publisher keeps, the one in memory and the one on Kafka alike."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from services.contracts.topics import DELIVERIES, PURCHASES, Topic
from services.ingest.admission import Admission, Overloaded
from services.ingest.records import Acknowledged, Publisher, Record, Unknown
from services.kit.kafka_clients import partition_of
from tests.component.ingest.fakes import PARTITIONS, Written


@dataclass(frozen=True)
class Opened:
    """A publisher, and ways to look behind it."""

    publisher: Publisher
    admission: Admission
    written: Callable[[Topic], list[Written]]
    silence: Callable[[], None]
    """Keep acknowledgements away."""
    speak: Callable[[], None]
    """Let them come again, also those that were kept away."""


def record(number: int, topic: Topic = PURCHASES, customer: str | None = None) -> Record:
    """Return a record one knows again."""
    return Record(topic, (customer or f"c-{number}").encode(), f"value {number}".encode())


async def emptied(admission: Admission) -> None:
    """Return when nothing is under way any more."""
    for _ in range(600):
        if admission.records == 0:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{admission.records} records are still under way")


class PublisherSuite(ABC):
    """Inherit, and say how one is opened."""

    @abstractmethod
    def opened(self, *, max_records: int = 1000) -> AbstractAsyncContextManager[Opened]:
        """Yield a publisher on fresh topics of `PARTITIONS` partitions."""

    def run(self, test: Callable[[Opened], Coroutine[Any, Any, None]], **how: int) -> None:
        """Run a test against a publisher of its own."""

        async def with_one() -> None:
            async with self.opened(**how) as opened:
                await test(opened)

        asyncio.run(with_one())

    def test_an_acknowledged_record_lies_where_its_outcome_says(self) -> None:
        async def check(opened: Opened) -> None:
            records = [record(n, DELIVERIES if n % 3 else PURCHASES) for n in range(60)]

            outcomes = await opened.publisher.publish(records)

            places = {
                (t, w.partition, w.offset): w
                for t in (PURCHASES, DELIVERIES)
                for w in opened.written(t)
            }
            assert len(places) == len(outcomes) == 60
            for sent, outcome in zip(records, outcomes, strict=True):
                assert isinstance(outcome, Acknowledged)
                found = places[sent.topic, outcome.partition, outcome.offset]
                assert (found.key, found.value, found.headers) == (
                    sent.key,
                    sent.value,
                    sent.headers,
                )
                assert found.partition == partition_of(sent.key, PARTITIONS)

        self.run(check)

    def test_records_of_a_customer_keep_their_order(self) -> None:
        async def check(opened: Opened) -> None:
            records = [record(n, customer=f"c-{n % 3}") for n in range(300)]
            for start in range(0, 300, 100):
                await opened.publisher.publish(records[start : start + 100])

            for customer in (b"c-0", b"c-1", b"c-2"):
                found = [w.value for w in opened.written(PURCHASES) if w.key == customer]
                assert found == [r.value for r in records if r.key == customer]

        self.run(check)

    def test_without_room_nothing_is_sent(self) -> None:
        async def check(opened: Opened) -> None:
            with pytest.raises(Overloaded):
                await opened.publisher.publish([record(n) for n in range(11)])

            assert opened.written(PURCHASES) == []
            assert len(await opened.publisher.publish([record(n) for n in range(10)])) == 10

        self.run(check, max_records=10)

    def test_room_is_given_back_with_the_outcome(self) -> None:
        async def check(opened: Opened) -> None:
            for _ in range(5):
                await opened.publisher.publish([record(n) for n in range(10)])

            assert (opened.admission.records, opened.admission.bytes) == (0, 0)

        self.run(check, max_records=10)

    def test_no_records_have_no_outcomes(self) -> None:
        async def check(opened: Opened) -> None:
            assert await opened.publisher.publish([]) == []

        self.run(check)

    def test_what_is_not_acknowledged_in_time_is_unknown_and_keeps_its_room(self) -> None:
        async def check(opened: Opened) -> None:
            await opened.publisher.publish([record(0)])
            opened.silence()
            try:
                outcomes = await opened.publisher.publish([record(1), record(2)])
                assert all(isinstance(outcome, Unknown) for outcome in outcomes)
                assert opened.admission.records == 2
                with pytest.raises(Overloaded):
                    await opened.publisher.publish([record(n) for n in range(3, 12)])
            finally:
                opened.speak()

            await emptied(opened.admission)
            assert isinstance((await opened.publisher.publish([record(20)]))[0], Acknowledged)
            assert {b"value 1", b"value 2", b"value 20"} <= {
                w.value for w in opened.written(PURCHASES)
            }

        self.run(check, max_records=10)
