"""A customer complains at the very moment at which a notice is about to leave: which of them comes first.

Each round has a customer with a queued notice, a sender that is about to start it, and a reader that is
about to commit the customer's complaint, on connections of their own and at random moments.  A notice must
never be started after the complaint was committed.  Both hold the customer's lock until they commit, so
what a trigger notes under that lock, in numbers that only grow, is the order in which they committed.

    python -m bench.complaint_race --rounds 1000

With `--published` the complaints are published on Kafka instead, and two real replicas send: what is
published and not yet committed is the window that remains (`bench.published_race`).

    python -m bench.complaint_race --published --rounds 200
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import click
import psycopg

from bench.published_race import NOTES, race_published
from services.kit import logs
from services.local import parts
from services.outreach import ledger, migrate, positions
from services.outreach.batch import Batch
from services.outreach.database import open_engine
from services.outreach.sender import Sender
from tests.component.outreach.desk import FOUND, ME, NOON, Desk, claim, record, topic_of
from tests.factories import wrote
from tests.support.outreach import opened, profile

_LATEST_SECONDS = (0.005, 0.04)
"""How late at most each side begins: to start a send takes more looks than to take a word in."""


@dataclass(frozen=True)
class Raced:
    """How the rounds ended."""

    rounds: int
    started_first: int
    """The notice left before the complaint was known."""
    complained_first: int
    """The complaint was known, and no notice left."""
    started_after_a_complaint: int
    """What must never be."""


def race(url: str, rounds: int, seed: int) -> Raced:
    """Return how so many rounds ended, on this empty database, whose positions are ours."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(NOTES)
    chance, desk = random.Random(seed), Desk(url)
    customers = [f"c-{n}" for n in range(rounds)]
    for name in customers:
        desk.learn(profile(name), opened(name, NOON))
    desk.decide()
    sender = Sender(desk.engine, desk.out, logs.get("bench"))
    for name in customers:
        _at_once(chance, (partial(_start, desk, sender, name), partial(_complain, desk, name)))
    desk.engine.dispose()
    with psycopg.connect(url) as connection:
        noted = connection.execute("SELECT customer, what FROM noted ORDER BY seq").fetchall()
    return _judged(customers, noted)


def _judged(customers: list[str], noted: Iterable[tuple[str, str]]) -> Raced:
    orders: dict[str, list[str]] = {name: [] for name in customers}
    for customer, what in noted:
        orders[customer].append(what)
    counts = Counter(tuple(order) for order in orders.values())
    return Raced(
        len(customers),
        counts["started", "complained"],
        counts["complained",],
        counts["complained", "started"],
    )


def _at_once(chance: random.Random, sides: Iterable[Callable[[], None]]) -> None:
    gate = threading.Barrier(2)
    threads = [
        threading.Thread(target=_after, args=(gate, chance.uniform(0, latest), side))
        for latest, side in zip(_LATEST_SECONDS, sides, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _after(gate: threading.Barrier, seconds: float, side: Callable[[], None]) -> None:
    gate.wait()
    time.sleep(seconds)
    side()


def _start(desk: Desk, sender: Sender, customer: str) -> None:
    with desk.engine.begin() as connection:
        (send,) = ledger.pending_of(connection, [customer]) or (None,)
    if send is not None:
        sender.attempt(ledger.Waiting(send.step_id, customer), lambda: NOON)


def _complain(desk: Desk, customer: str) -> None:
    word = wrote(f"k-{customer}", order=f"o-{customer}", customer=customer, at=NOON)
    source = (topic_of(word), 0)
    batch = Batch(NOON, desk.out.rules)
    expected = desk.offsets.get(source, 0)
    batch.read(source, expected, [record(word, desk.next_offset(source))])
    with desk.engine.begin() as connection:
        batch.write(connection)
        batch.advance(connection, desk.owner)


def _prepare(url: str) -> None:
    migrate.upgrade(url)
    engine = open_engine(url)
    positions.check_topic_ids(engine, FOUND)
    claim(engine, ME)
    engine.dispose()


@click.command()
@click.option("--rounds", default=1_000, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--published", is_flag=True, help="Publish on Kafka; so many rounds in each way to run."
)
def main(*, rounds: int, seed: int, published: bool) -> None:
    """Race, and print how it ended; exit code 1 where a notice left after a complaint was committed."""
    with parts.running(environment={}) as found:
        if published:
            outcomes = race_published(found, rounds, seed, partial(click.echo, err=True))
            click.echo(json.dumps({name: vars(each) for name, each in outcomes.items()}, indent=2))
            raise SystemExit(any(each.started_after_it_was_committed for each in outcomes.values()))
        _prepare(found.database_url)
        raced = race(found.database_url, rounds, seed)
    click.echo(json.dumps(vars(raced), indent=2))
    if raced.started_after_a_complaint:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
