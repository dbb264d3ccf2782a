"""What `kit.faust_slices` relies on inside Faust; an upgrade that changes it must fail here first.

What it avoids is shown in `tests/upstream/`.  Where a rebalance or a running worker would be needed,
the source of the function named is looked at; everything else is done with Faust's own objects.
"""

import asyncio
import dataclasses
import inspect
import re
from collections.abc import Callable, Coroutine, Mapping
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.app.base import App
from faust.tables.recovery import Recovery
from faust.transport.conductor import Conductor
from faust.transport.consumer import ConsumerThread, Fetcher, ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from services.kit import faust_slices
from services.kit.slices import Slice

TOPIC = "purchases"
FIRST = TP(TOPIC, 0)
SLICE = Slice(TOPIC, 0, 0, (), 1)


def source(function: object) -> str:
    """Return a function's source."""
    return inspect.getsource(function)  # type: ignore[arg-type]


class Host:
    """Counts how often it is asked to commit."""

    commits = 0

    def own(self, partitions: frozenset[int]) -> Mapping[tuple[str, int], int | None]:
        return {}

    def begin(self, starts: Mapping[tuple[str, int], int]) -> None:
        return None

    def disown(self) -> None:
        return None

    def work(self, piece: Slice) -> None:
        return None

    def idle(self) -> None:
        return None

    def commit(self) -> None:
        self.commits += 1


Look = Callable[[Callable[[Any], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def with_app(tmp_path: Path) -> Look:
    """Run a look at an app of ours that is not started, inside an event loop."""

    async def make(look: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        app = faust_slices.create_app(
            "internals", "127.0.0.1:1", [TOPIC], Host(), partitions=1, folder=tmp_path / "faust"
        )
        await asyncio.wait_for(look(app), 20)

    return lambda look: asyncio.run(make(look))


def message(offset: int = 0, value: Any = None) -> ConsumerMessage:
    return ConsumerMessage(TOPIC, 0, offset, 0.0, 0, [], None, value, None, 0, 0, FIRST)


def test_the_versions_are_the_ones_these_overrides_were_written_for() -> None:
    assert version("faust-streaming") == "0.15.3"
    assert version("mode-streaming") == "0.7.1"
    assert version("aiokafka") == "0.14.0"


def test_every_overridden_method_still_exists_with_the_same_parameters() -> None:
    expected = {
        "perform_seek": ["self"],
        "_drain_messages": ["self", "fetcher"],
        "_new_offset": ["self", "tp"],
        "_commit_offsets": ["self", "offsets", "start_new_transaction"],
        "on_partitions_revoked": ["self", "revoked"],
        "on_buffer_full": ["self", "tp"],
        "_new_consumer_thread": ["self"],
    }
    for name, parameters in expected.items():
        theirs = getattr(driver.Consumer, name)
        ours = getattr(faust_slices._SliceConsumer, name)
        assert list(inspect.signature(theirs).parameters) == parameters, name
        assert list(inspect.signature(ours).parameters) == parameters, name


def test_every_method_that_is_called_still_takes_what_it_is_given() -> None:
    expected = {
        "_wait_next_records": ["self", "timeout"],
        "_to_message": ["self", "tp", "record"],
        "wait_first": ["self", "coros", "timeout"],
        "earliest_offsets": ["self", "partitions"],
        "position": ["self", "tp"],
        "highwater": ["self", "tp"],
        "assignment": ["self"],
    }
    for name, parameters in expected.items():
        found = inspect.signature(getattr(driver.Consumer, name)).parameters
        assert list(found) == parameters, name
    seek = inspect.signature(driver.AIOKafkaConsumerThread.seek_wait).parameters
    assert list(seek) == ["self", "partitions"]


def test_the_app_uses_our_consumer_and_our_thread(with_app: Look) -> None:
    async def look(app: Any) -> None:
        assert isinstance(app.transport, faust_slices._SliceTransport)
        assert isinstance(app.consumer, faust_slices._SliceConsumer)
        assert isinstance(app.consumer._thread, faust_slices._ConsumerThread)

    with_app(look)


def test_committed_records_are_read_and_nothing_else_of_exactly_once_is_on(with_app: Look) -> None:
    async def look(app: Any) -> None:
        created = app.consumer._thread._create_consumer(asyncio.get_running_loop())

        assert created._isolation_level == "read_committed"
        assert not app.consumer.in_transaction
        assert not app.in_transaction

    with_app(look)


def test_what_stands_for_no_record_has_all_that_faust_reads_of_one() -> None:
    read = set(re.findall(r"record\.(\w+)", source(driver.Consumer._to_message)))

    assert read <= {field.name for field in dataclasses.fields(faust_slices._Nothing)}


def test_a_message_can_be_given_another_value_and_is_decoded_to_it(with_app: Look) -> None:
    async def look(app: Any) -> None:
        given = app.consumer._to_message(FIRST, faust_slices._Nothing(TOPIC, 0, 0))
        given.value = SLICE
        event = await app.agents["slices"].channel.decode(given, propagate=True)

        assert event.value is SLICE
        assert event.key is None

    with_app(look)


def test_a_full_buffer_holds_the_hand_over_until_the_agent_takes_one(with_app: Look) -> None:
    """The back pressure, as `on_buffer_full` does nothing."""

    async def look(app: Any) -> None:
        app.conf.stream_buffer_maxsize = 2
        app.flow_control.resume()
        # What the agent's own stream reads from.
        reader = app.agents["slices"].channel.clone(is_iterator=True)
        deliver = Conductor(app)._build_handler(FIRST, {reader})
        for offset in range(2):
            await deliver(message(offset, SLICE))
        waiting = asyncio.ensure_future(deliver(message(2, SLICE)))

        assert (await asyncio.wait([waiting], timeout=0.2))[1] == {waiting}
        await reader.queue.get()
        await asyncio.wait_for(waiting, 5)

    with_app(look)


class Group:
    """Stands where the group is; notes what it is told, and how often the host was asked before."""

    def __init__(self, app: Any) -> None:
        self.told: list[tuple[int, Mapping[TP, int]]] = []
        self._app = app
        app.consumer.assignment = lambda: {FIRST}
        app.consumer._commit = self._commit
        app.producer.flush = self._flush
        app.topics.acks_enabled_for = lambda _: True

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        self.told.append((self._app.host.commits, offsets))
        return True

    async def _flush(self) -> None:
        return None


def test_a_commit_tells_the_host_first_and_takes_the_highest_acknowledgement(
    with_app: Look,
) -> None:
    async def look(app: Any) -> None:
        group = Group(app)
        for offset in (499, 999):
            app.consumer.ack(message(offset))
        await app.consumer.commit()
        app.consumer.ack(message(1_003))
        await app.consumer.commit()
        await app.consumer.commit()

        assert group.told == [(1, {FIRST: 1_000}), (2, {FIRST: 1_004})]

    with_app(look)


def test_a_stop_waits_for_the_slice_in_work_and_commits_it(with_app: Look) -> None:
    """Why SIGTERM needs no commit of its own."""

    async def look(app: Any) -> None:
        group, in_work = Group(app), message(499)
        app.consumer.track_message(in_work)
        stopping = asyncio.ensure_future(app.consumer.on_stop())
        assert (await asyncio.wait([stopping], timeout=0.1))[1] == {stopping}

        app.consumer.ack(in_work)
        await asyncio.wait_for(stopping, 5)

        assert group.told == [(1, {FIRST: 500})]

    with_app(look)


def test_a_partition_is_the_same_to_faust_and_to_its_client() -> None:
    """Offsets asked of the client are looked up by Faust's name of the partition."""
    assert {TopicPartition(TOPIC, 0): 7}[FIRST] == 7
    assert {FIRST: 7}[TopicPartition(TOPIC, 0)] == 7


def test_without_tables_streams_resume_through_perform_seek_before_any_flow() -> None:
    restart = source(Recovery._restart_recovery.fun)
    resume = source(Recovery._resume_streams)

    assert "if not self.tables" in restart
    assert resume.index("perform_seek") < resume.index("flow_control.resume")
    assert resume.index("flow_control.resume") < resume.index("resume_flow")
    # How long a take-over may last: `create_app` sets it with that in mind.
    assert "perform_seek(), timeout=self.app.conf.broker_request_timeout" in resume


def test_a_rebalance_and_a_take_over_end_before_a_member_gives_up_for_fetching_nothing(
    with_app: Look,
) -> None:
    """aiokafka counts from the last fetch, and there is none while a rebalance waits."""

    async def look(app: Any) -> None:
        conf = app.conf
        longest = conf.broker_rebalance_timeout + conf.broker_request_timeout
        assert conf.broker_max_poll_interval > longest

    with_app(look)


def test_every_rebalance_revokes_everything() -> None:
    """Why the host gives up all its partitions at once."""
    told: list[Any] = []
    listener = SimpleNamespace(on_partitions_revoked=told.append)
    member = SimpleNamespace(
        group_id="g",
        _subscription=SimpleNamespace(begin_reassignment=lambda: None, listener=listener),
        _maybe_do_last_autocommit=lambda _: asyncio.sleep(0),
    )
    before = SimpleNamespace(tps={TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)})

    asyncio.run(GroupCoordinator._on_join_prepare(member, before))

    assert told == [before.tps]


def test_revokes_and_seeks_run_in_the_one_loop_of_the_app() -> None:
    """Why a lock of that loop keeps them apart."""
    assert "thread.on_partitions_revoked" in source(driver.ConsumerRebalanceListener)
    assert "threadsafe_partitions_revoked" in source(ConsumerThread.on_partitions_revoked)
    revoked = source(ThreadDelegateConsumer.threadsafe_partitions_revoked)
    assert "_method_queue.call" in revoked
    assert "await promise" in revoked


def test_a_rebalance_waits_for_the_slice_in_work_before_partitions_are_given_up() -> None:
    revoked = source(App._on_partitions_revoked)

    assert revoked.index("stop_flow") < revoked.index("flow_control.clear")
    assert revoked.index("flow_control.clear") < revoked.index("_consumer_wait_empty")


def test_stopping_the_flow_ends_a_hand_over_and_resuming_allows_the_next(with_app: Look) -> None:
    async def look(app: Any) -> None:
        consumer = app.consumer
        consumer.stop_flow()
        assert not consumer.flow_active
        assert consumer.suspend_flow.is_set()
        consumer.resume_flow()
        assert consumer.flow_active
        assert not consumer.suspend_flow.is_set()

    with_app(look)


def test_the_fetcher_runs_the_drain_and_a_cancelled_one_starts_again_after_a_rebalance() -> None:
    fetch = source(Fetcher._fetcher.fun)

    assert "await consumer._drain_messages(self)" in fetch
    assert "except asyncio.CancelledError" in fetch


def test_membership_is_told_by_the_two_attributes_that_are_looked_at() -> None:
    """Were one renamed, the watchdog would end a healthy process."""
    made = source(GroupCoordinator.__init__)

    assert "self.coordinator_id = None" in made
    assert "self._heartbeat_task = None" in made
    assert "self._coordinator = GroupCoordinator(" in source(AIOKafkaConsumer.start)
    assert "_consumer" in vars(driver.AIOKafkaConsumerThread)
