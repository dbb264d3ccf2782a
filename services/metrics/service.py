"""Wiring: opens the adapters, serves, and ends with everything closed."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from kafka.errors import AuthorizationError
from prometheus_client import CollectorRegistry

from services.contracts import process_metrics as names
from services.contracts.topics import METRICS_STATE, METRICS_STEPS
from services.kit import address_file, garbage, logs, telemetry
from services.kit.health import HealthServer
from services.kit.kafka_access import check_access
from services.kit.kafka_admin import check_topics
from services.kit.kafka_clients import forbidden, open_admin, open_consumer, reaching
from services.kit.process_metrics import process_registry
from services.metrics.decode import READ_TOPICS
from services.metrics.exporter import StateCollector
from services.metrics.keeping import KafkaKeeper, TopicIds
from services.metrics.lag import LagProbe, LagWatch
from services.metrics.settings import Settings
from services.metrics.worker import Pace, Worker

_PROBE_FETCH_BYTES = 64 * 1024
"""A probe wants one record; Kafka sends a larger one all the same."""

_log = logs.get(__name__)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        Unavailable: no broker answers, or topics are missing or have another partition count.
    """
    bootstrap = settings.kafka_bootstrap_servers
    check_access(bootstrap, "metrics", settings.topic_prefix)
    topic_ids = _topic_ids(settings)
    with ExitStack() as stack:
        keeper = stack.enter_context(closing(_keeper(settings, topic_ids)))
        # "none": deleted records are jumped over, but never in silence.
        consumer = stack.enter_context(closing(open_consumer(bootstrap, auto_offset_reset="none")))
        registry = process_registry("metrics")
        turns = telemetry.histogram(names.METRICS_TURN_SECONDS, registry)
        worker = Worker(
            consumer,
            keeper,
            partitions=settings.partitions,
            prefix=settings.topic_prefix,
            rules=settings.rules,
            pace=Pace(snapshot_seconds=settings.snapshot_interval_seconds),
            turned=turns.observe,
        )
        lag = stack.enter_context(closing(_lag_watch(settings, worker)))
        registry.register(StateCollector(lambda: worker.families(lag.latest(), settings.playbooks)))
        stack.enter_context(_health(settings, worker, registry))
        stop = _stop_on_signals()
        with reaching(bootstrap):
            worker.begin()
        garbage.look_seldom()
        lag.start()
        try:
            worker.run(stop)
        except AuthorizationError as error:
            raise forbidden(error) from error
    _log.info("drained")


def _topic_ids(settings: Settings) -> Callable[[], TopicIds]:
    """Return who looks up the topics; also that they are there, with the right partition count."""

    def look_up() -> TopicIds:
        found = check_topics(
            settings.kafka_bootstrap_servers,
            (*READ_TOPICS, METRICS_STATE, METRICS_STEPS),
            partitions=settings.partitions,
            prefix=settings.topic_prefix,
        )
        return {topic.name: found[topic.name].topic_id for topic in READ_TOPICS}

    return look_up


def _keeper(settings: Settings, topic_ids: Callable[[], TopicIds]) -> KafkaKeeper:
    return KafkaKeeper(
        settings.kafka_bootstrap_servers,
        prefix=settings.topic_prefix,
        partitions=settings.partitions,
        topic_ids=topic_ids,
    )


@contextmanager
def _health(settings: Settings, worker: Worker, registry: CollectorRegistry) -> Iterator[None]:
    server = HealthServer(
        registry,
        live=worker.live,
        ready=worker.caught_up,
        host=settings.host,
        port=settings.port,
        exposing=worker.caught_up,
    ).start()
    _log.info("started", address=address_file.write(settings.address_file, *server.address))
    with closing(server):
        yield


def _lag_watch(settings: Settings, worker: Worker) -> LagWatch:
    bootstrap = settings.kafka_bootstrap_servers
    consumer = open_consumer(bootstrap, max_partition_fetch_bytes=_PROBE_FETCH_BYTES)
    probe = LagProbe(
        open_admin(bootstrap),
        consumer,
        READ_TOPICS,
        partitions=settings.partitions,
        prefix=settings.topic_prefix,
    )
    return LagWatch(probe, worker.positions, settings.lag_interval_seconds)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
