"""kafka-python clients with the settings this system relies on, stated and not left to defaults."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import AuthorizationError, KafkaError
from kafka.partitioner import murmur2
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from services.kit import kafka_security
from services.kit.exits import Unavailable
from services.kit.logs import get

CLOSE_SECONDS = 10
BOOTSTRAP_MS = 5_000
"""How long a client looks for a broker before it says that there is none."""
RECONNECT_MS = 1_000
"""By itself the client waits up to half a minute between attempts, also for a broker that is back."""
_log = get(__name__)


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition Kafka's default partitioner gives this key."""
    return (int(murmur2(key)) & 0x7FFFFFFF) % partitions


@contextmanager
def reaching(bootstrap: str) -> Iterator[None]:
    """Turn the client's own errors while connecting into one line that says what to do."""
    try:
        yield
    except KafkaError as error:
        raise unavailable(bootstrap, error) from error


def unavailable(bootstrap: str, error: KafkaError) -> Unavailable:
    """Return in one line what is wrong with the broker, or with who we are to it, and what to do."""
    if isinstance(error, AuthorizationError):
        return forbidden(error)
    return Unavailable(
        f"Kafka does not answer at {bootstrap} ({type(error).__name__}): start it, or set "
        f"KAFKA_BOOTSTRAP_SERVERS to where it runs{kafka_security.doubts()}"
    )


def forbidden(error: Exception) -> Unavailable:
    """Return in one line what was refused to us; the client's own error names it."""
    return Unavailable(
        f"{kafka_security.user()} may not do this ({error}): grant it; "
        "`care topics acls` prints what each service needs"
    )


class RejoiningConsumer(KafkaConsumer):  # type: ignore[misc]
    """A consumer that takes up a join again which a short poll gave up waiting for.

    The client forgets one that it began because metadata had changed: it stays without partitions and
    heartbeats, outside its group, for ever.
    """

    def poll(self, *args: Any, **kwargs: Any) -> Any:
        """Return what `KafkaConsumer.poll` returns."""
        polled = super().poll(*args, **kwargs)
        coordinator = self._coordinator
        if coordinator.rejoining and not coordinator.need_rejoin():
            coordinator.request_rejoin()
        return polled


def open_consumer(bootstrap: str, group: str | None = None, **changes: Any) -> KafkaConsumer:
    """Return a consumer that commits nothing by itself, skips nothing and reads no aborted record.

    Raises:
        Unavailable: no broker answers.
    """
    settings: dict[str, Any] = {
        **kafka_security.kafka_python(bootstrap),
        "group_id": group,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "bootstrap_timeout_ms": BOOTSTRAP_MS,
        "reconnect_backoff_max_ms": RECONNECT_MS,
    }
    with reaching(bootstrap):
        return RejoiningConsumer(**(settings | changes))


def open_admin(bootstrap: str) -> KafkaAdminClient:
    """Return a client for questions about topics and groups.

    Raises:
        Unavailable: no broker answers.
    """
    with reaching(bootstrap):
        return KafkaAdminClient(
            **kafka_security.kafka_python(bootstrap), bootstrap_timeout_ms=BOOTSTRAP_MS
        )


def open_producer(bootstrap: str, **changes: Any) -> KafkaProducer:
    """Return an idempotent producer (`acks=all`) that tries until it succeeds.

    Wait for a send as long as you like (`future.get(timeout)`); a record you no longer wait for may
    still be written, so send it again under the same id.  Close with `close_producer`.

    Raises:
        Unavailable: no broker answers.
    """
    settings: dict[str, Any] = {
        **kafka_security.kafka_python(bootstrap),
        "acks": "all",
        # Explicit, so that a setting in conflict with it raises instead of switching it off.
        "enable_idempotence": True,
        "max_block_ms": 1_000,
        # Never give a batch up: kafka-python 3.0.12 loses its producer id with the first batch that
        # expires after a retry, asks for no other, and sends nothing ever again.
        "delivery_timeout_ms": 2**31 - 1,
        "request_timeout_ms": 5_000,
        "reconnect_backoff_max_ms": RECONNECT_MS,
        "max_request_size": 3 * 1024 * 1024,
        "bootstrap_timeout_ms": BOOTSTRAP_MS,
    }
    with reaching(bootstrap):
        return KafkaProducer(**(settings | changes))


def close_producer(producer: KafkaProducer, seconds: float = CLOSE_SECONDS) -> None:
    """Flush and close within a limit; what the broker did not take by then is given up.

    The client's own `close` raises where the broker is away, and then leaves its thread running.
    """
    try:
        producer.close(timeout=seconds)
    except KafkaError as error:
        _log.warning("producer_closed_with_unsent_records", error=type(error).__name__)


def end_offsets(
    consumer: KafkaConsumer, topics: Iterable[str], partitions: int
) -> dict[str, list[int]]:
    """Return, for each topic, the end offset of each partition as this consumer may read it."""
    return _offsets(consumer.end_offsets, topics, partitions)


def begin_offsets(
    consumer: KafkaConsumer, topics: Iterable[str], partitions: int
) -> dict[str, list[int]]:
    """Return, for each topic, the first offset each partition still has."""
    return _offsets(consumer.beginning_offsets, topics, partitions)


def _offsets(
    ask: Callable[[list[TopicPartition]], Mapping[TopicPartition, int]],
    topics: Iterable[str],
    partitions: int,
) -> dict[str, list[int]]:
    wanted = [TopicPartition(topic, p) for topic in topics for p in range(partitions)]
    # kafka-python 3.0.12 leaves out partitions whose leader it does not know yet (KeyError) while it
    # knows others; it has asked for them by then, so that a moment later they are there.
    again = Retrying(
        retry=retry_if_exception_type(KeyError),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(10),
        reraise=True,
    )
    found = again(ask, wanted)
    offsets: dict[str, list[int]] = {}
    for tp in wanted:
        offsets.setdefault(tp.topic, []).append(int(found[tp]))
    return offsets
