"""A transactional Kafka producer with a fixed identity: whoever opens it last is the only writer."""

from collections.abc import Sequence

from confluent_kafka import KafkaException, Producer
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random_exponential

_OPEN_SECONDS = 30.0
_COMMIT_SECONDS = 30.0
_TRANSACTION_TIMEOUT_MS = 60_000


def _is_retriable(error: BaseException) -> bool:
    return isinstance(error, KafkaException) and bool(error.args[0].retriable())


_retrying = retry(
    retry=retry_if_exception(_is_retriable),
    stop=stop_after_delay(_COMMIT_SECONDS),
    wait=wait_random_exponential(multiplier=0.05, max=1.0),
    reraise=True,
)


class TransactionalWriter:
    """Writes records that become visible together, or never.

    Opening one fences every earlier writer of the same id: its open transaction is aborted and its
    later commits fail.  Any error but a passing one is raised; the process must then end, because
    what it holds in memory may be ahead of what was committed.
    """

    def __init__(
        self, bootstrap: str, transactional_id: str, max_message_bytes: int = 3 * 1024 * 1024
    ) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": _TRANSACTION_TIMEOUT_MS,
                "acks": "all",
                "enable.idempotence": True,
                # Explicit partitions are given; this one is for completeness, as in the Java client.
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "batch.size": 262_144,
                "message.max.bytes": max_message_bytes,
                "queue.buffering.max.messages": 500_000,
            }
        )
        self._is_open = False
        self._init()

    def write(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Add one record to the open transaction; blocks while the local queue is full."""
        if not self._is_open:
            self._producer.begin_transaction()
            self._is_open = True
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=list(headers) or None)
            except BufferError:
                self._producer.poll(0.05)
            else:
                return

    def commit(self) -> None:
        """Make everything written since the last commit visible; returns when the broker has it."""
        if self._is_open:
            self._commit()
            self._is_open = False

    @_retrying
    def _init(self) -> None:
        self._producer.init_transactions(_OPEN_SECONDS)

    @_retrying
    def _commit(self) -> None:
        self._producer.commit_transaction(_COMMIT_SECONDS)
