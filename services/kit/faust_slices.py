"""Faust as the host of a stream: it keeps the group, the agent and the drain; offsets are ours.

What is replaced, by subclassing, and why (decision record 0002):

* The agent gets one stream event per slice (up to `SLICE` records of one partition) instead of one
  per record: Faust makes four tasks for each.
* Where to read on comes from the host's own state, which is committed together with its outputs,
  never from the group's offsets.  Those are committed afterwards, for lag tools alone; so none of
  the ways in which Faust can commit past unfinished work can lose an event.
* A slice says where it begins.  The host refuses one that begins behind a hole.

Pinned to faust-streaming 0.15.3; `tests/unit/kit/test_faust_internals.py` names what is relied on.
"""

import asyncio
import os
import sys
import traceback
from collections.abc import AsyncIterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import faust
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError
from confluent_kafka import KafkaException
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from services.kit import kafka_security
from services.kit.exits import EXIT_INTERNAL, EXIT_UNAVAILABLE, Unavailable
from services.kit.faust_membership import end_once_unknown
from services.kit.logs import get
from services.kit.slices import Host, Records, Slice, cut, numbers

_BUFFERED_SLICES = 16
_IDLE_SECONDS = 0.5
_COMMIT_SECONDS = 1.0
_TAKE_OVER_SECONDS = 1800.0
_UNFETCHED_SECONDS = 2 * _TAKE_OVER_SECONDS + 600.0
"""Nothing is fetched while a rebalance waits for somebody else, nor then until partitions are taken over."""
_REQUEST_MS = 40_000
_log = get(__name__)


@dataclass(frozen=True, slots=True)
class _Nothing:
    """Looks to Faust like the record before an offset at which there is none."""

    topic: str
    partition: int
    offset: int
    timestamp: int | None = None
    timestamp_type: int | None = None
    headers: tuple[()] = ()
    key: bytes | None = None
    value: bytes | None = None
    checksum: bytes | None = None
    serialized_key_size: int = 0
    serialized_value_size: int = 0


def fail(where: str) -> NoReturn:
    """End the process now: memory may be ahead of what is committed, and must not be used again."""
    _log.critical("fatal", where=where, error=traceback.format_exc())
    os._exit(EXIT_INTERNAL)


@contextmanager
def _deadly(where: str) -> Iterator[None]:
    """End the process on any error inside: Faust would acknowledge what failed and go on."""
    try:
        yield
    except Unavailable as error:
        print(error, file=sys.stderr, flush=True)  # noqa: T201 - what an operator is to read
        os._exit(EXIT_UNAVAILABLE)
    except Exception:  # noqa: BLE001 - whatever it is, going on would lose records
        fail(where)


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    async def on_start(self) -> None:
        """Start the client, and let a member with a name of its own heed it."""
        await super().on_start()
        if name := self.app.conf.consumer_group_instance_id:
            end_once_unknown(self._consumer._coordinator, name)  # type: ignore[union-attr] # noqa: SLF001

    def _create_worker_consumer(self, transport: Any) -> Any:
        # Faust reads committed records only in its own exactly-once mode; we want just the reading.
        self.consumer.in_transaction = True
        try:
            created = super()._create_worker_consumer(transport)
        finally:
            self.consumer.in_transaction = False
        # Without tables Faust deals partitions out one by one: a number's topics would part company.
        created._partition_assignment_strategy = [RangePartitionAssignor]  # noqa: SLF001
        # The setting limits a take-over; a request that long would mean that nobody answers.
        created._request_timeout_ms = created._client._request_timeout_ms = _REQUEST_MS  # noqa: SLF001
        return created


class _SliceConsumer(driver.Consumer):
    """Delivers slices and seeks to where the host's own state ends."""

    app: "SliceApp"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._handed_over: dict[TP, int] = {}
        """Partition → offset up to which everything was handed to the agent."""
        self._ownership = asyncio.Lock()
        self.is_taking_over = False

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Let the host take over what is assigned, and read on where its state ends."""
        async with self._ownership:
            # Open still where nothing was revoked, or where an older take-over has just resumed it;
            # Faust resumes it after this one.
            self.stop_flow()
            self.is_taking_over = True
            try:
                with _deadly("taking over partitions"):
                    await self._take_over(
                        {tp for tp in self.assignment() if tp.topic in self.app.inputs}
                    )
            except asyncio.CancelledError:
                # Faust would leave it at that: a member of the group that never reads again.
                if not (self.should_stop or self.transport.app.should_stop):
                    fail("taking over partitions was given up")
                raise
            finally:
                self.is_taking_over = False

    async def _take_over(self, assigned: set[TP]) -> None:
        owned = numbers(assigned, self.app.inputs)
        # Faust may assign anew without having revoked.
        self._let_go()
        try:
            starts = await self._own(assigned, owned)
        except (KafkaException, KafkaError, TimeoutError) as error:
            raise Unavailable(
                f"the broker did not let partitions be taken over ({error}): start this process again"
            ) from error
        self._read_offset.update(starts)
        self._committed_offset.update(starts)
        if starts:
            await self._thread.seek_wait(starts)
        # Only now: until here the client may stand somewhere else, and jump without a word.
        self._handed_over = starts

    async def _own(self, assigned: set[TP], owned: frozenset[int]) -> dict[TP, int]:
        known = await asyncio.get_running_loop().run_in_executor(None, self.app.host.own, owned)
        beginnings = await self.earliest_offsets(*assigned) if assigned else {}
        # Behind the beginning lies what retention deleted unread; the host counts it.
        starts = {
            tp: max(known.get((tp.topic, tp.partition)) or 0, beginnings[tp]) for tp in assigned
        }
        self.app.host.begin({(tp.topic, tp.partition): start for tp, start in starts.items()})
        return starts

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish and commit, then give everything up: Faust revokes all at every rebalance."""
        await super().on_partitions_revoked(revoked)
        async with self._ownership:
            with _deadly("giving up partitions"):
                self._let_go()

    def _let_go(self) -> None:
        self._handed_over = {}
        self.app.host.disown()

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                known = self._handed_over
                fetched, _ = await self._wait_next_records(1.0)
                await asyncio.sleep(0)
                if fetched and not self.should_stop:
                    await self._hand_over(fetched, known)
                await self._pass_markers(known)
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:
                raise

    async def _hand_over(self, fetched: Mapping[TP, Records], known: dict[TP, int]) -> None:
        """Give slices to the agent; fetch again whatever could not be given."""
        dropped: set[TP] = set()
        for tp, records in cut(fetched):
            if tp not in dropped and not await self._deliver(tp, records, known):
                dropped.add(tp)
        again = {tp: self._handed_over[tp] for tp in dropped if tp in self._handed_over}
        if again:
            await self._thread.seek_wait(again)

    def _is_current(self, tp: TP, known: dict[TP, int]) -> bool:
        # Another dict means: a rebalance sought anew while this was fetched.
        return self.flow_active and known is self._handed_over and tp in known

    async def _deliver(self, tp: TP, records: Records, known: dict[TP, int]) -> bool:
        """Hand a slice over, and return whether it was still wanted."""
        if not self._is_current(tp, known):
            return False
        if records[0].offset != known[tp]:
            with _deadly("reading on"):
                await self._explain_jump(tp, known[tp], records[0].offset)
            if not self._is_current(tp, known):
                return False
        message = self._to_message(tp, records[-1])
        await self._give(tp, message, records, records[-1].offset + 1, known)
        return True

    async def _explain_jump(self, tp: TP, expected: int, found: int) -> None:
        """Return if nothing lies between the two: markers, aborted or compacted records.

        The client itself jumps without a word, back to the beginning of a topic that was made anew
        and forward over what retention deleted.
        """
        name = f"{tp.topic}-{tp.partition}"
        if found < expected:
            raise Unavailable(
                f"{name} went back from offset {expected} to {found}, as if made anew: start again"
            )
        if (await self.earliest_offsets(tp))[tp] > expected:
            raise Unavailable(
                f"{name}: records from offset {expected} on were deleted before they were read: "
                "start again, and they are counted as missed"
            )

    async def _give(
        self, tp: TP, message: Any, records: Records, ends_at: int, known: dict[TP, int]
    ) -> None:
        message.value = Slice(tp.topic, tp.partition, known[tp], records, ends_at)
        delivery = self.callback(message)
        # One wait per slice: back pressure holds the poll here, and a rebalance can end it.
        await self.wait_first(delivery, self.suspend_flow.wait())
        if self._is_current(tp, known):
            known[tp] = ends_at
        self._read_offset[tp] = ends_at - 1

    async def _pass_markers(self, known: dict[TP, int]) -> None:
        """Tell the host where only transaction markers are left before the end of a partition.

        Without it a tick would wait for ever for an end offset behind which no record comes.
        """
        for tp in tuple(known):
            if not self._is_current(tp, known):
                return
            if (self.highwater(tp) or 0) > known[tp]:
                await self._pass_marker(tp, await self._position_or_zero(tp), known)

    async def _pass_marker(self, tp: TP, position: int, known: dict[TP, int]) -> None:
        if not self._is_current(tp, known) or position <= known[tp]:
            return
        with _deadly("reading on"):
            await self._explain_jump(tp, known[tp], position)
        if self._is_current(tp, known):
            marker = _Nothing(tp.topic, tp.partition, position - 1)
            await self._give(tp, self._to_message(tp, marker), (), position, known)

    async def _position_or_zero(self, tp: TP) -> int:
        try:
            return await self.position(tp) or 0
        except IllegalStateError:
            return 0  # the group has just taken it away

    def on_buffer_full(self, tp: TP) -> None:
        """Do nothing: the awaited hand-over already holds the poll; Faust would sleep a second."""

    def _new_offset(self, tp: TP) -> int | None:
        # One agent works a partition's slices in order: the highest ack is the commit point.
        acked = self._acked[tp]
        if not acked:
            return None
        top = max(acked)
        acked[:] = [top]
        self._acked_index[tp] = {top}
        return int(top) + 1

    async def _commit_offsets(
        self, offsets: Mapping[TP, int], start_new_transaction: bool = True
    ) -> bool:
        with _deadly("committing"):
            self.app.host.commit()
        return bool(await super()._commit_offsets(offsets, start_new_transaction))


class _SliceTransport(driver.Transport):
    Consumer = _SliceConsumer


class _SliceSchema(faust.Schema[Any, Any]):
    """The value is a slice already: nothing to decode."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        """Return nothing: a slice has many keys."""

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """Return the slice."""
        return message.value


class SliceApp(faust.App):
    """A Faust app whose agent hands slices to a host."""

    host: Host
    inputs: frozenset[str]

    def is_member(self) -> bool:
        """Whether the group counts this process in: its coordinator is known and gets heartbeats.

        Who takes partitions over counts too: ending it would only make it begin again.
        May be called from any thread.
        """
        # The property would make a consumer where there is none yet.
        if getattr(self._consumer, "is_taking_over", False):
            return True
        thread = getattr(self._consumer, "_thread", None)
        coordinator = getattr(getattr(thread, "_consumer", None), "_coordinator", None)
        beating = getattr(coordinator, "_heartbeat_task", None)
        known = getattr(coordinator, "coordinator_id", None)
        return known is not None and beating is not None and not beating.done()

    def _new_transport(self) -> driver.Transport:
        return _SliceTransport(self.conf.broker_consumer, self)


def create_app(
    name: str,
    bootstrap: str,
    topics: Sequence[str],
    host: Host,
    *,
    partitions: int,
    folder: Path,
    session_seconds: float = 10.0,
    member: str | None = None,
) -> SliceApp:
    """Return a Faust app, not started, that works these topics through `host`.

    `folder` is where Faust makes folders of its own; nothing of ours is kept in it.  `member` is its own
    name in the group, by which it has its partitions back after a restart; None: it leaves when it ends.
    """
    app = SliceApp(
        name,
        broker=[f"kafka://{server}" for server in bootstrap.split(",")],
        broker_credentials=kafka_security.faust_credentials(),
        store="memory://",
        datadir=folder,
        topic_partitions=partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        broker_commit_interval=_COMMIT_SECONDS,
        broker_max_poll_records=6_000,
        consumer_group_instance_id=member,
        broker_session_timeout=session_seconds,
        broker_heartbeat_interval=session_seconds / 3.4,
        broker_max_poll_interval=_UNFETCHED_SECONDS,
        # Taking partitions over happens inside one such request's time,
        broker_request_timeout=_TAKE_OVER_SECONDS,
        # and a rebalance waits for it: who is late there would fence who came after it.
        broker_rebalance_timeout=_TAKE_OVER_SECONDS,
        consumer_auto_offset_reset="earliest",
        # Finishing the slice in work is what makes SIGTERM harmless.
        stream_wait_empty=True,
        stream_buffer_maxsize=_BUFFERED_SLICES,
        web_enabled=False,
    )
    app.host, app.inputs = host, frozenset(topics)
    _set_to_work(app, topics)
    return app


def _set_to_work(app: SliceApp, topics: Sequence[str]) -> None:
    inputs = app.topic(*topics, schema=_SliceSchema())

    @app.agent(inputs, name="slices", concurrency=1)
    async def slices(stream: Any) -> None:
        await _work(stream.events(), app.host)

    @app.timer(interval=_IDLE_SECONDS)  # type: ignore[untyped-decorator]
    async def idle() -> None:
        with _deadly("working between slices"):
            app.host.idle()


async def _work(events: AsyncIterable[Any], host: Host) -> None:
    async for event in events:
        with _deadly("applying a slice"):
            host.work(event.value)
