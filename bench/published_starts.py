"""What it costs that no message leaves before its start is on the topic: sends per second, with and without.

On a Kafka and a PostgreSQL of its own, with a channel that takes everything at once, so that nothing but
the ledger and the publication is measured; by one thread and by several, which share publications.

    python -m bench.published_starts --sends 400 --threads 4
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import click
import psycopg

from services.contracts.topics import OUTREACH
from services.kit import logs
from services.kit.kafka_admin import apply_topics
from services.kit.kafka_clients import close_producer, open_producer
from services.local import parts
from services.outreach import ledger, migrate, positions
from services.outreach.comparison import Comparison, SaidTopic
from services.outreach.database import open_engine
from services.outreach.outbox import Publisher
from services.outreach.sender import Sender
from tests.component.outreach.desk import FOUND, ME, NOON, Desk, claim
from tests.support.outreach import opened, profile

_PARTITIONS = 4


@dataclass(frozen=True)
class Rates:
    """Sends per second."""

    threads: int
    without: float
    published: float


def measure(server: str, bootstrap: str, sends: int, threads: int) -> Rates:
    """Return how fast so many sends go out by so many threads, each way on a database of its own."""
    return Rates(
        threads,
        _rate(server, bootstrap, sends, threads, is_published=False),
        _rate(server, bootstrap, sends, threads, is_published=True),
    )


def _rate(server: str, bootstrap: str, sends: int, threads: int, *, is_published: bool) -> float:
    name = f"starts{threads}{'published' if is_published else 'alone'}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = f"{server.rsplit('/', 1)[0]}/{name}"
    topic = SaidTopic(bootstrap, f"{name}-", _PARTITIONS)
    apply_topics(bootstrap, partitions=_PARTITIONS, prefix=topic.prefix, topics=[OUTREACH])
    desk = _waiting(url, sends)
    compare = Comparison(desk.engine, topic, logs.get("bench")).run
    compare()
    producer = open_producer(bootstrap)
    publisher = Publisher(desk.engine, producer, topic.prefix, compare)
    publisher.publish_all()
    try:
        publish = publisher.publish_now if is_published else lambda: None
        return sends / _seconds(desk, threads, publish)
    finally:
        close_producer(producer)
        desk.engine.dispose()


def _waiting(url: str, sends: int) -> Desk:
    migrate.upgrade(url)
    engine = open_engine(url)
    positions.check_topic_ids(engine, FOUND)
    claim(engine, ME)
    engine.dispose()
    desk, customers = Desk(url), [f"c-{n}" for n in range(sends)]
    desk.learn(*(profile(name) for name in customers))
    desk.learn(*(opened(name, NOON) for name in customers))
    desk.decide()
    return desk


def _seconds(desk: Desk, threads: int, publish: Callable[[], None]) -> float:
    with desk.engine.begin() as connection:
        waiting = ledger.waiting(connection, desk.out.rules, None, list(desk.out.routes), NOON)

    def send(share: list[ledger.Waiting]) -> None:
        sender = Sender(desk.engine, desk.out, logs.get("bench"), publish=publish)
        for one in share:
            sender.attempt(one, lambda: NOON)

    workers = [threading.Thread(target=send, args=(waiting[n::threads],)) for n in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - began


@click.command()
@click.option("--sends", default=400, show_default=True, type=click.IntRange(min=1))
@click.option("--threads", default=4, show_default=True, type=click.IntRange(min=1))
def main(sends: int, threads: int) -> None:
    """Print one line of JSON for one thread, and one for several."""
    logs.set_up("bench", level="error")
    with parts.running(environment={}) as found:
        for number in (1, threads):
            rates = measure(found.database_url, found.kafka_bootstrap, sends, number)
            click.echo(json.dumps(rates.__dict__))


if __name__ == "__main__":
    main()
