"""A transactional Kafka producer with a fixed identity: whoever opens it last is the only writer."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from services.kit import kafka_security
from services.kit.exits import Unavailable

_OPEN_SECONDS = 30.0
_ATTEMPT_SECONDS = 10.0
_OUTAGE_SECONDS = 840.0
"""How long a broker may be away or frozen before the process gives up and is started anew."""
_TRANSACTION_TIMEOUT_MS = 900_000
"""The most a broker allows by default; outages up to this long end no transaction.  An owner that died
holds readers up no longer than it takes the next one to open the same id."""

_FENCED = frozenset(
    {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED}  # noqa: SLF001 - public names
)
_FORBIDDEN = frozenset(
    {KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED}
)

Delivered = Callable[[Any, Any], None]


def _is_retriable(error: BaseException) -> bool:
    return isinstance(error, KafkaException) and bool(error.args[0].retriable())


def _retrying(seconds: float) -> Retrying:
    return Retrying(
        retry=retry_if_exception(_is_retriable),
        stop=stop_after_delay(seconds),
        wait=wait_random_exponential(multiplier=0.05, max=1.0),
        reraise=True,
    )


@contextmanager
def _told_by_the_commit() -> Iterator[None]:
    """Pass over a fatal error that is raised into the delivery report being made: a `SystemError`.

    The client says it again to whoever produces or commits next, and then as itself.
    """
    try:
        yield
    except SystemError as error:
        if not isinstance(error.__cause__, KafkaException):
            raise


class TransactionalWriter:
    """Writes records that become visible together, or never.

    Opening one fences every earlier writer of the same id: its open transaction is aborted and its
    later commits fail.  Any error but a passing one is raised; the process must then end, because
    what it holds in memory may be ahead of what was committed.
    """

    def __init__(
        self,
        bootstrap: str,
        transactional_id: str,
        max_message_bytes: int = 3 * 1024 * 1024,
        most_waiting_bytes: int = 1 << 30,
    ) -> None:
        """Open it.

        Args:
            bootstrap: The brokers.
            transactional_id: By which earlier writers are fenced.
            max_message_bytes: The longest record.
            most_waiting_bytes: So much waits for the broker before `write` does.

        Raises:
            Unavailable: this user may not write so.
            KafkaException: the broker cannot be reached, or refuses otherwise.
        """
        self._id = transactional_id
        self._renewal = kafka_security.Renewal()
        self._producer = Producer(
            {
                **kafka_security.librdkafka(bootstrap),
                "acks": "all",
                "enable.idempotence": True,
                # Explicit partitions are given; this one is for completeness, as in the Java client.
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "batch.size": 262_144,
                "message.max.bytes": max_message_bytes,
                "queue.buffering.max.messages": 500_000,
                "queue.buffering.max.kbytes": most_waiting_bytes // 1024,
                **self._identity(),
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
        delivered: Delivered | None = None,
    ) -> None:
        """Add one record to the open transaction; blocks while the local queue is full.

        `delivered` is called during `commit` with the client's error and message.
        """
        if not self._is_open:
            self._begin()
            self._is_open = True
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
                with _told_by_the_commit():
                    self._producer.poll(0.05)
            except KafkaException:
                # Only a commit is told what is really wrong.
                self.commit()
                raise
            else:
                return

    def commit(self) -> None:
        """Make everything written since the last commit visible; returns when the broker has it.

        Waits an outage of the broker out.

        Raises:
            Unavailable: another writer of this id was opened, or the outage was too long.
        """
        if self._is_open:
            try:
                self._commit()
            except KafkaException as error:
                raise self._ended(error.args[0]) from error
            self._is_open = False

    def _identity(self) -> dict[str, Any]:
        return {
            "transactional.id": self._id,
            "transaction.timeout.ms": _TRANSACTION_TIMEOUT_MS,
            "message.timeout.ms": _TRANSACTION_TIMEOUT_MS,
        }

    def _begin(self) -> None:
        self._renewal.give(self._producer)
        self._producer.begin_transaction()

    def _init(self) -> None:
        try:
            _retrying(_OPEN_SECONDS)(self._producer.init_transactions, _OPEN_SECONDS)
        except KafkaException as error:
            if error.args[0].code() in _FORBIDDEN:
                raise self._ended(error.args[0]) from error
            raise

    def _commit(self) -> None:
        for attempt in _retrying(_OUTAGE_SECONDS):
            with attempt:
                # An outage may outlast a password.
                self._renewal.give(self._producer)
                # Delivery reports are served here at the latest.
                with _told_by_the_commit():
                    self._producer.flush(_ATTEMPT_SECONDS)
                self._producer.commit_transaction(_ATTEMPT_SECONDS)

    def _ended(self, error: KafkaError) -> Unavailable:
        if error.code() in _FENCED:
            return Unavailable(
                f"another process has taken over {self._id}, or the broker has ended its transaction, "
                "while this one was paused or cut off; nothing is lost, start this one again"
            )
        if error.code() in _FORBIDDEN:
            return Unavailable(
                f"{kafka_security.user()} may not write as {self._id} ({error.str()}): grant it; "
                "`care topics acls` prints what each service needs"
            )
        return Unavailable(
            f"the broker did not commit a transaction of {self._id} ({error.str()}); "
            "nothing is lost, start this process again"
        )
