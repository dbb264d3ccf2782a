"""The producer in use, and another in its place once it has failed for good.

kafka-python gives up for ever on the first record that a broker refuses in a way it deems not worth
a retry (too large for the topic, not authorised): every later send, to any topic, fails with that
error.  One such record must not close the door to all others.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from kafka import KafkaProducer
from kafka.errors import RetriableError

from services.kit import logs
from services.kit.exits import Unavailable
from services.kit.kafka_clients import close_producer

PAUSE_SECONDS = 1.0
"""Least time between two replacements: a publisher cannot make us open connections in a loop."""

_log = logs.get(__name__)


class ProducerSource(Protocol):
    """Gives a producer, and takes word of what went wrong with it."""

    @property
    def current(self) -> KafkaProducer:
        """The producer to send with now."""
        ...

    def note_failure(self, producer: KafkaProducer, error: BaseException) -> None:
        """Say that a send with this producer failed with this error."""
        ...


class Producers:
    """Opens producers in threads and has one at a time.  For the event loop's thread only."""

    def __init__(self, open_one: Callable[[], KafkaProducer], flush_seconds: float) -> None:
        self._open = open_one
        self._flush_seconds = flush_seconds
        self._current: KafkaProducer | None = None
        self._replacing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the first producer.

        Raises:
            Unavailable: no broker answers.
        """
        self._current = await asyncio.to_thread(self._open)

    @property
    def current(self) -> KafkaProducer:
        """The producer to send with now."""
        if self._current is None:
            raise RuntimeError("no producer was opened yet")
        return self._current

    def note_failure(self, producer: KafkaProducer, error: BaseException) -> None:
        """Replace the producer if it is the one in use and the error is one it never recovers from."""
        is_over = not isinstance(error, RetriableError)
        if is_over and producer is self._current and self._replacing is None:
            self._replacing = asyncio.create_task(self._replace(producer, error))

    async def close(self) -> None:
        """Flush and close what is open, within a limit."""
        if self._replacing is not None:
            self._replacing.cancel()
        if self._current is not None:
            await asyncio.to_thread(close_producer, self._current, self._flush_seconds)

    async def _replace(self, failed: KafkaProducer, error: BaseException) -> None:
        _log.warning("producer_failed", error=type(error).__name__)
        await asyncio.sleep(PAUSE_SECONDS)
        while self._current is failed:
            try:
                self._current = await asyncio.to_thread(self._open)
            except Unavailable:
                await asyncio.sleep(PAUSE_SECONDS)
        self._replacing = None
        _log.info("producer_replaced")
        await asyncio.to_thread(close_producer, failed, self._flush_seconds)
