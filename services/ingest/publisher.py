"""Records onto Kafka, each with a known outcome: acknowledged by the broker, or not known."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from kafka import KafkaProducer
from kafka.producer.future import FutureRecordMetadata, RecordMetadata

from services.ingest.admission import Admission
from services.ingest.producers import ProducerSource
from services.ingest.records import Acknowledged, Outcome, Record, Unknown


@dataclass(slots=True)
class _Delivery:
    """The outcomes of one `publish`, as far as they are known."""

    outcomes: list[Outcome | None]
    missing: int
    finished: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def note(self, index: int, outcome: Outcome) -> None:
        self.outcomes[index] = outcome
        self.missing -= 1
        if self.missing == 0:
            self._finish()

    async def wait(self, seconds: float) -> None:
        """Return when all are known, or after so many seconds."""
        # A timer of its own: `asyncio.wait` and `timeout` cost several times as much.
        timer = asyncio.get_running_loop().call_later(seconds, self._finish)
        try:
            await self.finished
        finally:
            timer.cancel()

    def _finish(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)

    def known(self) -> list[Outcome]:
        return [outcome or Unknown("no answer in time") for outcome in self.outcomes]


_Settle = Callable[[RecordMetadata | BaseException], None]


class _Acknowledgements:
    """Results on their way from the producer's thread to the loop's, which is woken once for many."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[_Settle, RecordMetadata | BaseException]] = deque()
        self._is_woken = False

    def hand_over(self, settle: _Settle, result: RecordMetadata | BaseException) -> None:
        """Hand one over, in the producer's thread, and do nothing else there."""
        self._waiting.append((settle, result))
        self._wake()

    def _wake(self) -> None:
        if self._is_woken:
            return
        self._is_woken = True
        # A closed loop means that the process is ending and nobody waits any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        # Before the first is taken: what comes from now on is either taken here or wakes the loop again.
        self._is_woken = False
        try:
            while self._waiting:
                settle, result = self._waiting.popleft()
                settle(result)
        finally:
            # One that failed must not leave the others behind it waiting.
            if self._waiting:
                self._wake()


class KafkaPublisher:
    """The real one.  Room is given back when an outcome is known, not when one stops waiting.

    Made inside the loop that publishes.
    """

    def __init__(
        self,
        producers: ProducerSource,
        *,
        prefix: str,
        admission: Admission,
        patience_seconds: float,
    ) -> None:
        self._producers = producers
        self._prefix = prefix
        self._admission = admission
        self._patience_seconds = patience_seconds
        self._acknowledgements = _Acknowledgements()

    async def publish(self, records: Sequence[Record]) -> list[Outcome]:
        """Return one outcome per record; see `Publisher`."""
        self._admission.enter(len(records), sum(record.size for record in records))
        delivery = _Delivery([None] * len(records), len(records))
        for index, record in enumerate(records):
            error = self._send(record, delivery, index)
            if error is not None:
                self._give_up(records, index, delivery, error)
                break
        if delivery.missing:
            await delivery.wait(self._patience_seconds)
        return delivery.known()

    def _send(self, record: Record, delivery: _Delivery, index: int) -> Exception | None:
        producer = self._producers.current
        try:
            sent: FutureRecordMetadata = producer.send(
                record.topic.physical(self._prefix),
                key=record.key,
                value=record.value,
                headers=list(record.headers),
            )
        except Exception as error:  # noqa: BLE001 - whatever it was, the room must be given back
            return error
        settle = partial(self._settle, delivery, index, record.size, producer)
        sent.add_both(partial(self._acknowledgements.hand_over, settle))
        return None

    def _settle(
        self,
        delivery: _Delivery,
        index: int,
        size: int,
        producer: KafkaProducer,
        result: RecordMetadata | BaseException,
    ) -> None:
        self._admission.leave(1, size)
        if isinstance(result, BaseException):
            self._producers.note_failure(producer, result)
            delivery.note(index, Unknown(type(result).__name__))
        else:
            delivery.note(index, Acknowledged(result.partition, result.offset))

    def _give_up(
        self, records: Sequence[Record], first: int, delivery: _Delivery, error: Exception
    ) -> None:
        # Nothing more is sent: a later record of a customer must not overtake the one that failed.
        for index in range(first, len(records)):
            self._admission.leave(1, records[index].size)
            delivery.note(index, Unknown(type(error).__name__))
