"""Simulated time: the clock of a deployment whose time comes from the ticks topic."""

import threading
from datetime import datetime
from typing import Any

from kafka import TopicPartition
from pydantic import ValidationError

from services.contracts.stream import Tick
from services.contracts.topics import TICKS
from services.kit.clock import NoTimeYet
from services.kit.kafka_clients import open_consumer


class TickClock:
    """Follows the ticks in a thread of its own; `now` is the latest tick read."""

    def __init__(self, bootstrap: str, *, partitions: int, prefix: str = "") -> None:
        self._topic = TICKS.physical(prefix)
        self._partitions = [TopicPartition(self._topic, p) for p in range(partitions)]
        self._latest: datetime | None = None
        self._stop = threading.Event()
        self._consumer = open_consumer(bootstrap, fetch_max_wait_ms=20)
        self._thread = threading.Thread(target=self._follow, name="tick-clock", daemon=True)

    def start(self) -> "TickClock":
        """Begin to follow; return itself."""
        self._thread.start()
        return self

    def now(self) -> datetime:
        """Return the time of the latest tick; raises `NoTimeYet` before the first."""
        if self._latest is None:
            raise NoTimeYet("no tick was read yet")
        return self._latest

    @property
    def is_following(self) -> bool:
        """Whether the thread still reads; without it time stands still."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _follow(self) -> None:
        self._consumer.assign(self._partitions)
        self._consumer.seek_to_beginning()
        while not self._stop.is_set():
            for records in self._consumer.poll(timeout_ms=200).values():
                self._latest = max(
                    (moment for moment in (self._latest, *map(_time_in, records)) if moment),
                    default=None,
                )
        self._consumer.close()


def _time_in(record: Any) -> datetime | None:
    """Return a tick's time; None where it is no tick: the predictor dead-letters those."""
    try:
        return Tick.model_validate_json(record.value or b"").at
    except ValidationError:
        return None
