"""What the metrics service keeps on a real Kafka: whole or not at all, and by one writer."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import TopicPartition

from services.contracts import topics as t
from services.kit.exits import Unavailable
from services.kit.kafka_admin import apply_topics
from services.kit.kafka_clients import open_consumer
from services.local.parts import Parts
from services.metrics import snapshot
from services.metrics.keeping import KafkaKeeper
from services.metrics.state import State
from services.metrics.steps import Step
from tests.unit.metrics.stories import at, folded, opened

pytestmark = pytest.mark.connected

Open = Callable[[], KafkaKeeper]
SMALL = folded(opened("o-1", 1))
LARGE = folded(*(opened(f"o-{number}", 1) for number in range(60)))


@pytest.fixture
def keeper(kafka_bootstrap: str, topic_prefix: str) -> Iterator[Open]:
    """A way to open keepers of one deployment."""
    own = (t.METRICS_STATE, t.METRICS_STEPS)
    apply_topics(kafka_bootstrap, partitions=1, prefix=topic_prefix, topics=own)
    opened_: list[KafkaKeeper] = []

    def begin() -> KafkaKeeper:
        made = KafkaKeeper(kafka_bootstrap, prefix=topic_prefix, partitions=1, topic_ids=dict)
        opened_.append(made)
        return made

    yield begin
    for each in opened_:
        each.close()


def restored(keeper: KafkaKeeper) -> State | None:
    """Return the state it finds."""
    found = keeper.restore()
    return None if found is None else found.state


def test_a_snapshot_that_was_not_finished_is_never_seen(
    keeper: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = keeper()
    assert restored(writer) is None
    writer.take_over()
    writer.keep(SMALL, {}, at(1))

    def die(header: snapshot.Header) -> bytes:
        raise SystemExit

    monkeypatch.setattr(snapshot, "encode_header", die)
    with pytest.raises(SystemExit):
        writer.keep(LARGE, {}, at(2))

    assert restored(keeper()) == SMALL
    later = keeper()
    later.take_over()
    assert restored(later) == SMALL


def test_chunks_that_a_longer_snapshot_needed_are_taken_back(
    keeper: Open, kafka_bootstrap: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "CHUNK_BYTES", 100)
    writer = keeper()
    writer.take_over()
    writer.keep(LARGE, {}, at(1))
    long = lying(kafka_bootstrap, topic_prefix)

    later = keeper()
    assert restored(later) == LARGE
    later.take_over()
    later.keep(SMALL, {}, at(2))

    assert restored(keeper()) == SMALL
    left = lying(kafka_bootstrap, topic_prefix)
    assert len(left) < len(long) / 2


def lying(bootstrap: str, prefix: str) -> dict[bytes, Any]:
    """Return what compaction would leave of the snapshots."""
    place = TopicPartition(t.METRICS_STATE.physical(prefix), 0)
    consumer = open_consumer(bootstrap)
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    end, found = consumer.end_offsets([place])[place], {}
    while consumer.position(place) < end:
        for record in consumer.poll(500).get(place, []):
            found[record.key] = record.value
    consumer.close()
    return {key: value for key, value in found.items() if value is not None}


def test_steps_come_back_in_order_and_behind_the_snapshot_alone(keeper: Open) -> None:
    writer = keeper()
    writer.take_over()
    steps = [Step({"purchases": {0: n}}, settle=at(n)) for n in range(4)]
    for step in steps[:2]:
        writer.append(step)
    writer.keep(SMALL, {}, at(5))
    for step in steps[2:]:
        writer.append(step)

    later = keeper()
    found = later.restore()
    later.take_over()

    assert found is not None
    assert later.steps(found.standing.steps_offset) == steps[2:]
    assert later.steps(0) == steps
    assert later.steps(1_000) == []


def test_a_step_that_is_written_while_the_broker_is_away_is_written_once_it_is_back(
    disposable_parts: Parts, topic_prefix: str
) -> None:
    """A transaction of kafka-python that begins then never ends."""
    bootstrap = disposable_parts.kafka_bootstrap
    own = (t.METRICS_STATE, t.METRICS_STEPS)
    apply_topics(bootstrap, partitions=1, prefix=topic_prefix, topics=own)
    writer = KafkaKeeper(bootstrap, prefix=topic_prefix, partitions=1, topic_ids=dict)
    writer.take_over()
    written = [Step({"purchases": {0: n}}, settle=at(n)) for n in range(4)]
    writer.append(written[0])
    for step in written[1:]:
        disposable_parts.kafka.kill()
        thread = threading.Thread(target=writer.append, args=(step,), daemon=True)
        thread.start()
        time.sleep(0.5)
        disposable_parts.kafka.start()
        thread.join(60)
        assert not thread.is_alive()

    later = KafkaKeeper(bootstrap, prefix=topic_prefix, partitions=1, topic_ids=dict)
    later.take_over()
    assert later.steps(0) == written
    for each in (writer, later):
        each.close()


def test_whoever_was_overtaken_can_write_nothing_more(keeper: Open) -> None:
    earlier, later = keeper(), keeper()
    earlier.take_over()
    earlier.append(Step(settle=at(1)))
    later.take_over()

    with pytest.raises(Unavailable, match="another process has taken over"):
        earlier.append(Step(settle=at(2)))
    with pytest.raises(Unavailable):
        earlier.keep(SMALL, {}, at(3))

    assert later.steps(0) == [Step(settle=at(1))]
    assert restored(later) is None
