"""Records onto Kafka, each with a known outcome: acknowledged by the broker, or not known."""

import asyncio
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
        if self.missing == 0 and not self.finished.done():
            self.finished.set_result(None)

    def known(self) -> list[Outcome]:
        return [outcome or Unknown("no answer in time") for outcome in self.outcomes]


class KafkaPublisher:
    """The real one.  Room is given back when an outcome is known, not when one stops waiting."""

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
            await asyncio.wait([delivery.finished], timeout=self._patience_seconds)
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
        sent.add_both(partial(_hand_over, asyncio.get_running_loop(), settle))
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


def _hand_over(
    loop: asyncio.AbstractEventLoop,
    settle: Callable[[RecordMetadata | BaseException], None],
    result: RecordMetadata | BaseException,
) -> None:
    """Hand a result from the producer's thread to the loop's, and do nothing else there."""
    # A closed loop means that the process is ending and nobody waits any more.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(settle, result)
