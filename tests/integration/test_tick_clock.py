"""Simulated time follows the ticks on a real Kafka."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from services.contracts import topics as t
from services.contracts.stream import Tick
from services.kit.clock import NoTimeYet
from services.kit.kafka_admin import apply_topics
from services.kit.kafka_clients import open_producer
from services.kit.tick_clock import TickClock

pytestmark = pytest.mark.connected

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
PARTITIONS = 2


def reached(clock: TickClock, wanted: datetime) -> bool:
    """Return whether the clock tells this time within ten seconds."""
    give_up_at = time.monotonic() + 10
    while time.monotonic() < give_up_at:
        try:
            if clock.now() == wanted:
                return True
        except NoTimeYet:
            pass
        time.sleep(0.02)
    return False


def test_it_is_the_latest_tick_of_any_partition_and_never_earlier(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    apply_topics(kafka_bootstrap, partitions=PARTITIONS, prefix=topic_prefix, topics=[t.TICKS])
    producer = open_producer(kafka_bootstrap)

    def write(partition: int, at: datetime) -> None:
        tick = Tick(number=1, at=at, ends={})
        name = t.TICKS.physical(topic_prefix)
        producer.send(name, value=tick.encode(), partition=partition).get(timeout=10)

    clock = TickClock(kafka_bootstrap, partitions=PARTITIONS, prefix=topic_prefix)
    with pytest.raises(NoTimeYet):
        clock.now()
    write(0, START)
    clock.start()
    assert reached(clock, START)

    write(1, START + HOUR)
    assert reached(clock, START + HOUR)

    write(0, START)
    write(0, START + 2 * HOUR)
    assert reached(clock, START + 2 * HOUR)

    clock.close()
    producer.close(timeout=5)
