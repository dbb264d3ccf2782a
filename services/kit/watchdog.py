"""Ends a process that stays outside its consumer group although the broker answers.

A client can miss its way back after an outage and then wait for ever, alive and idle.  A new process
finds the way; so does a broker that is away, which is no reason to end anything.
"""

import os
import sys
import threading
from collections.abc import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from services.kit import kafka_security
from services.kit.clock import monotonic
from services.kit.exits import EXIT_UNAVAILABLE

_LOOK_SECONDS = 1.0
_ANSWER_SECONDS = 5.0


def broker_answers(bootstrap: str) -> bool:
    """Whether any broker answers a question of a new client within five seconds."""
    try:
        AdminClient({**kafka_security.librdkafka(bootstrap), "log_level": 0}).list_topics(
            timeout=_ANSWER_SECONDS
        )
    except KafkaException:
        return False
    return True


def end_process(message: str) -> None:
    """Say why, and end this process from whichever thread."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201 - what an operator is to read
    os._exit(EXIT_UNAVAILABLE)


class Watchdog:
    """Looks once a second from a thread of its own, until closed."""

    def __init__(
        self,
        is_inside: Callable[[], bool],
        answers: Callable[[], bool],
        limit_seconds: float,
        end: Callable[[str], None] = end_process,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        """Watch nothing yet.

        Args:
            is_inside: Whether the process is a member of its group now.
            answers: Whether the broker answers others; asked only while outside for too long.
            limit_seconds: How long it may be outside of a group of a broker that answers.
            end: Called once, with a line for the operator.
            look_seconds: How often to look.
        """
        self._is_inside = is_inside
        self._answers = answers
        self._limit = limit_seconds
        self._end = end
        self._look_seconds = look_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> "Watchdog":
        """Begin to look; return itself."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        well_at = monotonic()
        while not self._stop.wait(self._look_seconds):
            outside = monotonic() - well_at
            if self._is_inside():
                well_at = monotonic()
            elif outside > self._limit:
                if self._answers():
                    self._end(
                        f"outside the consumer group for {outside:.0f} s although the broker answers: "
                        "start this process again"
                    )
                    return
                well_at = monotonic()
