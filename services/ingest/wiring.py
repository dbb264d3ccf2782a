"""What the door stands on: a warm producer and the deployment's clock, opened together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial

from kafka import KafkaProducer
from kafka.errors import KafkaError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from services.contracts.topics import OUTSIDE, TICKS
from services.ingest.access.opening import open_gate
from services.ingest.adapters.adapter import open_adapters
from services.ingest.admission import Admission, Overloaded
from services.ingest.api import Ports
from services.ingest.fates import LookTerms
from services.ingest.looks import ProcessLooks
from services.ingest.memory import Memory
from services.ingest.producers import Producers
from services.ingest.publisher import KafkaPublisher
from services.ingest.records import Outcome, Record
from services.ingest.settings import Settings
from services.kit.clock import Clock, SystemClock
from services.kit.exits import Unavailable
from services.kit.health import Check, Verdict
from services.kit.kafka_access import check_access
from services.kit.kafka_admin import check_topics
from services.kit.kafka_clients import close_producer, open_producer, reaching
from services.kit.settings import ClockSource
from services.kit.tick_clock import TickClock
from services.kit.tracing import NO_SPANS, Spans

WARM_UP_SECONDS = 10.0
_BLOCK_MS = 200
"""How long a send may hold up the loop where a topic's metadata is missing."""
_LINGER_MS = 2
"""How long a record waits for others to travel with.  Without it the producer's thread wakes for each one
and takes the interpreter from the loop: a fifth more of the processor for each event."""
_BATCH_BYTES = 64 * 1024
"""Of one partition's records in one request; a batch of 500 events is some 200 KiB over all partitions."""
_RECONNECT_MS = 1_000
"""Longest pause between attempts to reach a broker that was away."""


@contextlib.asynccontextmanager
async def open_ports(
    settings: Settings, readiness: Check, spans: Spans = NO_SPANS
) -> AsyncIterator[Ports]:
    """Open the producer, warm, and the clock; close both in the end.

    Raises:
        Unavailable: no broker, the topics are not as this deployment needs them, a file of keys or
            secrets cannot be used, or nothing says how publishers show who they are.
    """
    adapters = open_adapters(settings)
    admission = Admission(settings.max_in_flight_records, settings.max_in_flight_bytes)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, spans.close)
        gate = await stack.enter_async_context(open_gate(settings))
        await asyncio.to_thread(_check_topics, settings)
        producers = Producers(
            partial(_open_producer, settings), settings.acknowledgement_timeout_seconds
        )
        stack.push_async_callback(producers.close)
        await producers.start()
        clock = await _open_clock(settings, stack)
        publisher = KafkaPublisher(
            producers,
            prefix=settings.topic_prefix,
            admission=admission,
            patience_seconds=settings.acknowledgement_timeout_seconds,
        )
        memory = Memory(settings.remembered_events, settings.remembered_seconds)
        ready = with_clock(readiness, clock)
        looks = _looks(settings)
        yield Ports(
            publisher, clock.now, ready, admission, adapters, memory, looks, gate=gate, spans=spans
        )


@contextlib.asynccontextmanager
async def open_paused(
    settings: Settings, readiness: Check, spans: Spans = NO_SPANS
) -> AsyncIterator[Ports]:
    """Open what answers are counted by and no more: the topics may be in the middle of a change.

    Raises:
        Unavailable: nothing says how publishers show who they are.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, spans.close)
        gate = await stack.enter_async_context(open_gate(settings))
        admission = Admission(settings.max_in_flight_records, settings.max_in_flight_bytes)
        yield Ports(_NoPublisher(), SystemClock().now, readiness, admission, gate=gate, spans=spans)


class _NoPublisher:
    """Stands where nobody may get to while nothing is taken."""

    async def publish(self, records: Sequence[Record]) -> list[Outcome]:
        """Publish nothing; raises `Overloaded`, should anybody get here."""
        raise Overloaded


def _looks(settings: Settings) -> LookTerms:
    lookback = timedelta(seconds=settings.lookback_seconds)
    return LookTerms(ProcessLooks(settings), SystemClock(), settings.partitions, lookback)


def _check_topics(settings: Settings) -> None:
    topics = (*OUTSIDE, TICKS) if settings.clock is ClockSource.TICKS else OUTSIDE
    check_access(settings.kafka_bootstrap_servers, "ingest", settings.topic_prefix)
    check_topics(
        settings.kafka_bootstrap_servers,
        topics,
        partitions=settings.partitions,
        prefix=settings.topic_prefix,
    )


def _open_producer(settings: Settings) -> KafkaProducer:
    """Return a producer that knows every topic: later a send would hold up the loop for it."""
    producer = open_producer(
        settings.kafka_bootstrap_servers,
        reconnect_backoff_max_ms=_RECONNECT_MS,
        max_block_ms=_BLOCK_MS,
        linger_ms=_LINGER_MS,
        batch_size=_BATCH_BYTES,
    )
    attempts = Retrying(
        retry=retry_if_exception_type(KafkaError),
        stop=stop_after_delay(WARM_UP_SECONDS),
        wait=wait_fixed(0.1),
        reraise=True,
    )
    try:
        with reaching(settings.kafka_bootstrap_servers):
            for topic in OUTSIDE:
                attempts(producer.partitions_for, topic.physical(settings.topic_prefix))
    except Unavailable:
        close_producer(producer, 0)
        raise
    return producer


async def _open_clock(settings: Settings, stack: contextlib.AsyncExitStack) -> Clock:
    if settings.clock is ClockSource.SYSTEM:
        return SystemClock()
    opened = await asyncio.to_thread(
        TickClock,
        settings.kafka_bootstrap_servers,
        partitions=settings.partitions,
        prefix=settings.topic_prefix,
    )
    stack.push_async_callback(asyncio.to_thread, opened.close)
    return opened.start()


def with_clock(readiness: Check, clock: Clock) -> Check:
    """Return the check, failing too where simulated time is no longer followed.

    Not yet having begun is no reason: whoever writes the first tick may wait for us to be ready.
    """
    stopped = Verdict(ok=False, because="the ticks are no longer followed")

    def check() -> Verdict:
        follows = not isinstance(clock, TickClock) or clock.is_following
        return readiness() if follows else stopped

    return check
