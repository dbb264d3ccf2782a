"""Events per second of the metrics worker against a bare loop over the same topics.

The bare loop polls the same client, parses each value as JSON and counts it by its type.  The worker
decodes, folds, judges, and writes its steps down.  Both read the same records of the same broker in
turn, so that a noisy machine hits both.

`--mix shop`: what the simulated shop tells of a month, and of every tenth order a problem that is noticed,
written about and cleared.  Four of five events are of parcels and the like, of which only the envelope is
read.  `--mix figures`: no event but those that a figure looks into, three of four of them orders.

    python -m bench.metrics_fold --events 200000 --rounds 3
"""

import json
import secrets
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import click
from kafka import KafkaProducer, TopicPartition

from bench.metrics_state import PROBLEM_IN, START, problem, story
from services.contracts import topics as t
from services.contracts.envelope import STRUCTURED, Event
from services.contracts.events import TOPIC_OF, read
from services.contracts.purchases import OrderPlaced
from services.kit import garbage
from services.kit.kafka_admin import apply_topics
from services.kit.kafka_clients import (
    begin_offsets,
    end_offsets,
    open_consumer,
    open_producer,
    partition_of,
)
from services.local import parts
from services.metrics.decode import READ_TOPICS
from services.metrics.intake import POLL_RECORDS
from services.metrics.keeping import KafkaKeeper
from services.metrics.state import State
from services.metrics.worker import Worker
from services.shop.parameters import ShopParameters
from services.shop.shop import open_shop

PARTITIONS = 4
_HEADERS = [("content-type", STRUCTURED.encode())]
_FLUSH_EACH = 5_000
_EVENTS_A_CUSTOMER = 4
_SHOP_EVENTS_A_CUSTOMER = 16
"""In a month, on topics that the metrics service reads."""
_STEP = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Round:
    """One reading of everything."""

    events: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Events per second of CPU time: other processes of the machine do not matter."""
        return self.events / self.cpu_seconds


@dataclass(frozen=True, slots=True)
class Deployment:
    """Topics with events on them."""

    bootstrap: str
    prefix: str

    def fill(self, events: Iterable[Event[Any]]) -> None:
        """Write these events."""
        apply_topics(self.bootstrap, partitions=PARTITIONS, prefix=self.prefix, topics=READ_TOPICS)
        producer = open_producer(self.bootstrap, linger_ms=20, max_block_ms=60_000)
        for number, event in enumerate(events):
            self._send(producer, event)
            if number % _FLUSH_EACH == 0:
                producer.flush()
        producer.flush()
        producer.close(timeout=10)

    def bare(self) -> Round:
        """Read everything with the client alone."""
        names = list(t.physical_names(READ_TOPICS, self.prefix))
        consumer = open_consumer(self.bootstrap)
        left = self._assign(consumer, names)
        types: Counter[str] = Counter()
        began = _now()
        while sum(types.values()) < left:
            for records in consumer.poll(200, max_records=POLL_RECORDS).values():
                for record in records:
                    types[json.loads(record.value)["type"]] += 1
        taken = _since(began)
        consumer.close()
        return Round(sum(types.values()), *taken)

    def worker(self, run: int) -> Round:
        """Read everything with the worker, its steps being written down."""
        own = f"{self.prefix}{run}-"
        apply_topics(
            self.bootstrap,
            partitions=PARTITIONS,
            prefix=own,
            topics=(t.METRICS_STATE, t.METRICS_STEPS),
        )
        keeper = KafkaKeeper(self.bootstrap, prefix=own, partitions=PARTITIONS, topic_ids=dict)
        keeper.take_over()
        keeper.keep(State(), {}, START)
        consumer = open_consumer(self.bootstrap, auto_offset_reset="none")
        worker = Worker(consumer, keeper, partitions=PARTITIONS, prefix=self.prefix)
        worker.begin()
        began = _now()
        while not worker.caught_up().ok:
            worker.turn()
        taken = _since(began)
        consumer.close()
        keeper.close()
        return Round(_counted(worker), *taken)

    def _send(self, producer: KafkaProducer, event: Any) -> None:
        key = event.partitionkey.encode()
        name = TOPIC_OF[type(event.data)].physical(self.prefix)
        partition = partition_of(key, PARTITIONS)
        producer.send(name, event.encode(), key=key, headers=_HEADERS, partition=partition)

    def _assign(self, consumer: Any, names: list[str]) -> int:
        consumer.assign([TopicPartition(name, p) for name in names for p in range(PARTITIONS)])
        begins = begin_offsets(consumer, names, PARTITIONS)
        ends = end_offsets(consumer, names, PARTITIONS)
        return sum(sum(ends[name]) - sum(begins[name]) for name in names)


def shop_month(events: int) -> Iterator[Event[Any]]:
    """Yield about so many events of a simulated shop, and what is said of its problems."""
    customers = max(1, events // _SHOP_EVENTS_A_CUSTOMER)
    shop = open_shop(ShopParameters(customers=customers), seed=1)
    orders = 0
    while (at := shop.next_at()) is not None and at <= shop.end:
        for said in shop.advance(at + _STEP, ()).publications:
            if said.refusable:
                continue
            event = read(said.body)
            if TOPIC_OF[type(event.data)] in READ_TOPICS:
                yield event
            if isinstance(event.data, OrderPlaced):
                orders += 1
                if orders % PROBLEM_IN == 0:
                    order_id = event.data.order_id
                    yield from problem(order_id, event.customer_id, event.time + timedelta(days=4))


def orders_alone(events: int) -> Iterator[Event[Any]]:
    """Yield about so many events that figures look into."""
    return story(events // _EVENTS_A_CUSTOMER)


MIXES = {"shop": shop_month, "figures": orders_alone}


def _counted(worker: Worker) -> int:
    families = {family.name: family for family in worker.families({}, ())}
    return int(sum(sample.value for sample in families["care_events"].samples))


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(began: tuple[float, float]) -> tuple[float, float]:
    return time.perf_counter() - began[0], time.process_time() - began[1]


def _measured(deployment: Deployment, rounds: int) -> Iterator[tuple[str, Round]]:
    for run in range(rounds):
        yield "bare", deployment.bare()
        yield "worker", deployment.worker(run)


def _summary(found: list[tuple[str, Round]]) -> Mapping[str, float]:
    rates = {
        name: statistics.median(each.rate for kind, each in found if kind == name)
        for name in ("bare", "worker")
    }
    walls = {
        f"{name}_wall": statistics.median(r.events / r.seconds for kind, r in found if kind == name)
        for name in rates
    }
    return {**rates, "ratio": rates["worker"] / rates["bare"], **walls}


@click.command()
@click.option("--events", default=200_000, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--mix", type=click.Choice(list(MIXES)), default="shop", show_default=True)
def main(events: int, rounds: int, mix: str) -> None:
    """Print events per CPU second, the ratio, and events per second of the wall clock, as JSON."""
    with parts.running() as found:
        deployment = Deployment(found.kafka_bootstrap, f"b{secrets.token_hex(4)}-")
        deployment.fill(MIXES[mix](events))
        # As the service does; both are read so.
        garbage.look_seldom()
        click.echo(json.dumps(_summary(list(_measured(deployment, rounds))), indent=2))


if __name__ == "__main__":
    main()
