"""Tells the time where the clock is the machine's: one tick per owned partition and second."""

import threading
from collections.abc import Callable, Iterable

from kafka import KafkaConsumer, KafkaProducer

from services.contracts.stream import Tick
from services.contracts.topics import TICKED, TICKS, physical_names
from services.kit.clock import Clock
from services.kit.kafka_clients import (
    CLOSE_SECONDS,
    close_producer,
    end_offsets,
    open_consumer,
    open_producer,
)
from services.kit.logs import get

_log = get(__name__)


class Ticker:
    """Writes ticks from a thread of its own, with its own clients, until closed."""

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        partitions: int,
        owned: Callable[[], Iterable[int]],
        clock: Clock,
        seconds: float,
        turned: Callable[[], None],
    ) -> None:
        self._topics = physical_names(TICKED, prefix)
        self._ticks = TICKS.physical(prefix)
        self._partitions = partitions
        self._owned = owned
        self._clock = clock
        self._seconds = seconds
        self._turned = turned
        self._stop = threading.Event()
        self._consumer: KafkaConsumer = open_consumer(bootstrap)
        self._producer: KafkaProducer = open_producer(bootstrap)
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def start(self) -> "Ticker":
        """Begin to tick; return itself."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop ticking and close both clients."""
        self._stop.set()
        self._thread.join(timeout=CLOSE_SECONDS)
        close_producer(self._producer)
        self._consumer.close()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self._turned()
            try:
                self._tick()
            except Exception as error:  # noqa: BLE001 - a missed tick is made up for by the next
                _log.warning("tick_missed", error=type(error).__name__)

    def _tick(self) -> None:
        owned = tuple(self._owned())
        if not owned:
            return
        # The time is read first: whatever is on the topics by then lies before the offsets.
        now = self._clock.now()
        ends = end_offsets(self._consumer, self._topics, self._partitions)
        for number in owned:
            tick = Tick(
                number=int(now.timestamp()),
                at=now,
                ends={topic.name: ends[name][number] for name, topic in self._topics.items()},
            )
            self._producer.send(self._ticks, tick.encode(), partition=number)
