"""Single parts of Faust, looked at without a broker: real objects, with a stand-in for what they ask."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from faust.assignor.partition_assignor import PartitionAssignor
from faust.transport.drivers import aiokafka as driver
from faust.transport.producer import ProducerBuffer
from faust.types import TP, ConsumerMessage

Probe = Callable[[], Any]
T = TP("purchases", 0)


def alone(look: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run one look inside an event loop of its own."""
    asyncio.run(look())


class Membership:
    """Stands where the group and the broker are: what is assigned, and what a commit is told."""

    def __init__(self, consumer: Any, *, accepts: bool = True) -> None:
        self.committed: list[Mapping[TP, int]] = []
        self._accepts = accepts
        consumer.assignment = lambda: {T}
        consumer._commit = self._commit
        consumer.app.producer.flush = self._flush

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        self.committed.append(offsets)
        return self._accepts

    async def _flush(self) -> None:
        return None


def acknowledge(consumer: Any, *offsets: int) -> None:
    for offset in offsets:
        consumer.ack(message(offset))


def message(offset: int) -> ConsumerMessage:
    return ConsumerMessage(T.topic, T.partition, offset, 0.0, 0, [], None, None, None, 0, 0, T)


def test_a_commit_goes_past_one_record_that_is_not_finished(probe: Probe) -> None:
    """Avoided: the state's own position counts (`_SliceConsumer.perform_seek`), not the group's."""

    async def look() -> None:
        consumer = probe().consumer
        group = Membership(consumer)
        consumer.app.topics.acks_enabled_for = lambda _: True
        acknowledge(consumer, 0, 1)
        await consumer.commit()
        # 2 is in work; 3 and 4 were finished by somebody quicker.
        acknowledge(consumer, 3, 4)
        await consumer.commit()

        assert group.committed == [{T: 2}, {T: 5}]

    alone(look)


def test_a_gap_swallows_the_first_record_behind_it(probe: Probe) -> None:
    """Avoided: gaps are not counted at all (`_SliceConsumer._drain_messages`, `_new_offset`)."""

    async def look() -> None:
        consumer = probe().consumer
        group = Membership(consumer)
        consumer.app.topics.acks_enabled_for = lambda _: True
        acknowledge(consumer, 0, 1, 2)
        # 3 and 4 are markers; 5 is a record, in work; 6 was finished by somebody quicker.
        await consumer._add_gap(T, 3, 5)
        acknowledge(consumer, 6)
        await consumer.commit()

        assert group.committed == [{T: 7}]

    alone(look)


def test_a_commit_that_the_group_refused_is_remembered_as_done(probe: Probe) -> None:
    """Avoided: after a rebalance `_SliceConsumer._take_over` sets the offset from the state."""

    async def look() -> None:
        consumer = probe().consumer
        Membership(consumer, accepts=False)

        assert not await consumer._commit_offsets({T: 5})
        assert consumer._committed_offset[T] == 5

    alone(look)


def test_acknowledgements_are_dropped_before_a_revoke_can_commit_them(probe: Probe) -> None:
    """Avoided: `_SliceConsumer.on_partitions_revoked` lets the host commit (`disown`)."""

    async def look() -> None:
        consumer = probe().consumer
        group = Membership(consumer)
        consumer.app.topics.acks_enabled_for = lambda _: True
        acknowledge(consumer, 0, 1)

        async def wait_empty(_: set[TP]) -> None:
            await consumer.wait_empty()

        consumer._on_partitions_revoked = wait_empty
        await consumer.on_partitions_revoked({T})

        assert group.committed == []

    alone(look)


def test_a_full_buffer_costs_a_second(probe: Probe) -> None:
    """Avoided: `_SliceConsumer.on_buffer_full` does nothing."""

    async def look() -> None:
        consumer, slept = probe().consumer, []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        consumer.sleep = sleep
        consumer._set_active_tps({T})
        consumer.on_buffer_full(T)

        assert await consumer._wait_next_records(0.0) == ({}, set())
        assert slept == [1]

    alone(look)


def test_a_topic_forgets_the_size_its_buffer_was_to_have(probe: Probe) -> None:
    """Not avoided yet: `create_app` gives it there; `stream_buffer_maxsize` of the app is kept."""

    async def look() -> None:
        app = probe()
        app.conf.stream_buffer_maxsize = 20

        assert app.topic("purchases", maxsize=16).queue.maxsize == 20

    alone(look)


def test_a_flush_gives_up_after_a_tenth_of_a_second(probe: Probe) -> None:
    """Avoided: nothing is sent through Faust; `TransactionalWriter.commit` waits for the broker."""

    async def look() -> None:
        buffer = ProducerBuffer()
        buffer.app = probe()
        # Running, while the broker takes nothing.
        buffer._started.set()
        buffer.pending.put_nowait("a message")

        await asyncio.wait_for(buffer.flush(), 5)

        assert buffer.state == "running"
        assert buffer.size == 1

    alone(look)


def test_the_producer_is_not_idempotent(probe: Probe) -> None:
    """Avoided: nothing is sent through Faust (`TransactionalWriter`, `open_producer`)."""

    async def look() -> None:
        app = probe()
        settings = {**app.producer._settings_default(), **app.producer._settings_extra()}

        assert "enable_idempotence" not in settings
        assert settings["request_timeout_ms"] == 1_200_000

    alone(look)


class Refusing:
    """A transactional producer whose broker refuses."""

    async def begin_transaction(self) -> None:
        raise KafkaError("refused")

    commit_transaction = abort_transaction = begin_transaction


@pytest.mark.parametrize("step", ["begin_transaction", "commit_transaction", "abort_transaction"])
def test_exactly_once_swallows_what_its_transactions_fail_with(
    probe: Probe, step: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Avoided: `TransactionalWriter`, whose errors end the process (`faust_slices._deadly`)."""

    async def look() -> None:
        producer = probe().producer
        producer._producer = SimpleNamespace()
        producer._transaction_producers = {"t-0": Refusing()}
        producer._trn_locks = {"t-0": asyncio.Lock()}
        with caplog.at_level(logging.WARNING):
            await getattr(producer, step)("t-0")

        assert f"Exception in {step}" in caplog.text

    alone(look)


def test_transactional_producers_are_shared_by_all_apps_of_a_process() -> None:
    """Avoided: a `TransactionalWriter` per partition, made anew when it is taken over."""
    assert "_transaction_producers" in vars(driver.Producer)
    assert vars(driver.Producer)["_transaction_producers"] == {}


def test_a_missing_changelog_is_worth_a_warning_only(caplog: pytest.LogCaptureFixture) -> None:
    """Avoided: `kafka_admin.check_topics` ends a start at which any topic is missing."""
    cluster = SimpleNamespace(partitions_for_topic=lambda _: None)
    with caplog.at_level(logging.WARNING):
        groups = PartitionAssignor._get_copartitioned_groups(
            {"facts-changelog"}, cluster, {"worker": ["facts-changelog"]}
        )

    assert groups == {}
    assert "Ignoring missing topic: 'facts-changelog'" in caplog.text


def test_credentials_for_tls_cannot_be_made_by_default() -> None:
    """Not avoided yet: there is no setting for TLS; with one, give it a context."""
    with pytest.raises(TypeError):
        faust.SSLCredentials()


def test_the_worker_shows_a_spinner_even_when_quiet(probe: Probe) -> None:
    """Avoided: `churn_predictor.app.run` takes it away: control characters in a log."""

    async def look() -> None:
        worker = faust.Worker(probe(), loglevel="WARNING", quiet=True, redirect_stdouts=False)

        assert worker.spinner is not None

    alone(look)


def test_defaults_are_made_for_something_else(probe: Probe) -> None:
    """Avoided: `create_app` states each."""
    conf = faust.App("defaults").conf

    assert conf.broker_session_timeout == 60
    assert conf.broker_commit_interval == 2.8
    assert conf.table_standby_replicas == 1
    assert conf.topic_partitions == 8
    assert conf.topic_allow_declare
    assert conf.web_enabled


TOPICS = ("contacts", "deliveries", "purchases")
NUMBERS = range(4)


def shared_out(assignor: Any, members: int) -> dict[str, dict[str, set[int]]]:
    """Return, by topic and member, the partitions this assignor gives."""
    cluster = SimpleNamespace(partitions_for_topic=lambda _: set(NUMBERS))
    joined = {f"m{n}": assignor.metadata(set(TOPICS)) for n in range(members)}
    given: dict[str, dict[str, set[int]]] = {topic: {} for topic in TOPICS}
    for member, assignment in assignor.assign(cluster, joined).items():
        for topic, numbers in assignment.assignment:
            given[topic][member] = set(numbers)
    return given


def test_without_tables_one_number_of_several_topics_goes_to_several_workers() -> None:
    """A customer's records lie in the partition of one number of every topic, and need one worker."""
    given = shared_out(RoundRobinPartitionAssignor, 3)
    assert given["contacts"] != given["deliveries"]

    together = shared_out(RangePartitionAssignor, 3)
    assert together["contacts"] == together["deliveries"] == together["purchases"]


def test_without_tables_that_assignor_is_the_one_in_use(probe: Probe) -> None:
    """See the test before this one."""

    async def look() -> None:
        consumer = probe().consumer
        created = consumer._thread._create_worker_consumer(consumer.transport)

        assert created._partition_assignment_strategy == [RoundRobinPartitionAssignor]

    alone(look)
