"""The predictor's worker with an idempotent producer in place of the transactional one.

For measuring what fencing and atomic commits cost; it promises neither.
"""

from collections.abc import Sequence

from confluent_kafka import Producer

from services.churn_predictor import vault
from services.churn_predictor.__main__ import main
from services.kit.transactions import Delivered


class UnfencedWriter:
    """Writes like `TransactionalWriter`; everything is visible at once."""

    def __init__(self, bootstrap: str, transactional_id: str, max_message_bytes: int) -> None:
        del transactional_id
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "batch.size": 262_144,
                "message.max.bytes": max_message_bytes,
                "queue.buffering.max.messages": 500_000,
            }
        )

    def write(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        delivered: Delivered | None = None,
    ) -> None:
        """Send one record."""
        while True:
            try:
                self._producer.produce(
                    topic,
                    value,
                    key,
                    partition,
                    headers=list(headers) or None,
                    on_delivery=delivered,
                )
            except BufferError:
                self._producer.poll(0.05)
            else:
                return

    def commit(self) -> None:
        """Return when the broker has everything."""
        self._producer.flush()


if __name__ == "__main__":
    setattr(vault, "TransactionalWriter", UnfencedWriter)  # noqa: B010 - swapped for this measurement
    main()
